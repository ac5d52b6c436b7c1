import { expect, it } from '@jest/globals';

import { importLedger, RedisStreamsRecordBuilder } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { groupState, isCaughtUp } from '../support/group-state.js';
import { recordingApp } from '../support/recording-app.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';
import { python, type Run, withPython } from './partner.js';

withPython()('dtpyfw, from a program in Python', () => {
  const redis = redisForTests();
  closeAppsAfterEach();
  const dtpyfw: Run = (words, lines) => python('dtpyfw.py', redis.url)(words, lines);

  const BODIES = [
    { order_id: 'ORD-1', total: 99.99, paid: null, tags: ['a', 'b'] },
    {},
    { stadt: 'Köln', smile: '🚆', nested: { empty: '' } },
  ];
  const sent = (bodies: readonly object[]) =>
    bodies.map((body) => ({ name: 'order.created', body }));
  const reading = (stream: string, group: string) =>
    recordingApp(stream, {
      connection: redis.url,
      group,
      startFrom: 'beginning',
      recovery: { minIdleMs: 1_000, intervalMs: 200 },
    });

  it('writes messages that are read here', async () => {
    const stream = freshName('orders');
    await dtpyfw(['send', stream], sent(BODIES));
    const { handled } = await reading(stream, 'billing');
    await waitFor(() => isCaughtUp(redis.client, stream, 'billing'));
    expect(handled.map(({ name, payload, messageId }) => ({ name, payload, messageId }))).toEqual(
      BODIES.map((payload, n) => ({
        name: 'order.created',
        payload,
        messageId: handled[n]?.entryId,
      })),
    );
  });

  it('reads what is published here, beside a group of this package', async () => {
    const stream = freshName('orders');
    const { emit, handled } = await reading(stream, 'billing');
    for (const body of BODIES) {
      const record = new RedisStreamsRecordBuilder(body).setName('order.created');
      await emit(stream, record.setHeaders({ trace: '1' }).setKey('k').build());
    }
    await emit(stream, Buffer.from([0, 255, 16]));
    expect(await dtpyfw(['consume', stream, 'processor', '4'])).toEqual([
      ...sent(BODIES),
      { name: stream, body: 'AP8Q' },
    ]);
    await waitFor(() => isCaughtUp(redis.client, stream, 'billing'));
    expect(handled).toHaveLength(4);
    expect(await groupState(redis.client, stream, `${stream}:processor:cg`)).toMatchObject({
      pending: 0,
    });
  });

  it('has a service that moves here with its group and its ledger, and back', async () => {
    const stream = freshName('orders');
    const group = `${stream}:processor:cg`;
    const body = (n: number) => ({ n });
    await dtpyfw(['send', stream], sent([0, 1, 2, 3, 4].map(body)));
    // Killed: 0 and 1 are done, 2 has begun, 3 was only read, and nobody has read 4.
    const ran = await dtpyfw(['consume', stream, 'processor', '3', 'leave']);
    expect(ran).toEqual(sent([0, 1, 2].map(body)));
    expect(await groupState(redis.client, stream, group)).toMatchObject({ pending: 2 });

    expect(await importLedger({ connection: redis.url, stream, group })).toEqual({
      imported: 3,
      known: 0,
      outside: 0,
    });
    const { handled, monitor, close } = await reading(stream, group);
    await waitFor(() => isCaughtUp(redis.client, stream, group));
    expect(handled.map(({ payload }) => payload)).toEqual(
      expect.arrayContaining([body(3), body(4)]),
    );
    expect(handled).toHaveLength(2);
    await waitFor(() => monitor.getStats().counts.duplicate === 1);
    await close();

    await dtpyfw(['send', stream], sent([body(5)]));
    expect(await dtpyfw(['consume', stream, 'processor', '1'])).toEqual(sent([body(5)]));
  });
});
