import { expect, it } from '@jest/globals';

import { freshName } from '../../support/fresh-name.js';
import type { BrokerUnderTest } from '../broker-under-test.js';
import { publishMany } from '../publish-many.js';
import { expectExactly, expectSettled, Recorder } from '../recorder.js';

/** What groups share, and what each has for itself. */
export function groups(broker: BrokerUnderTest): void {
  it('two groups each get all messages, and a failure in one does not affect the other', async () => {
    const stream = freshName('orders');
    const billing = new Recorder();
    const shipping = new Recorder(({ attempt }) => {
      if (attempt === 1) throw new Error('fails in this group');
    });
    const streams = [stream];
    await broker.openConsumer({ group: 'billing', streams, handle: billing.handle });
    await broker.openConsumer({
      group: 'shipping',
      streams,
      handle: shipping.handle,
      options: { retry: { delayMs: 20 } },
    });
    const sent = await publishMany(await broker.openPublisher(), stream, 100);
    await expectSettled(broker, stream, 'billing', { processed: 100 });
    const { retries } = broker.promises;
    const deadLetters = retries ? 0 : 100;
    await expectSettled(broker, stream, 'shipping', { processed: 100, deadLetters });
    expectExactly(billing.handled, sent);
    expectExactly(shipping.handled, retries ? sent : []);
    expect(billing.runs).toHaveLength(100);
  });

  it('two groups without consumers each get later what is published meanwhile', async () => {
    const stream = freshName('orders');
    const groupNames = ['billing', 'shipping'];
    const streams = [stream];
    for (const group of groupNames) {
      await (await broker.openConsumer({ group, streams, handle: () => undefined })).close();
    }
    const sent = await publishMany(await broker.openPublisher(), stream, 100);
    for (const group of groupNames) {
      const recorder = new Recorder();
      await broker.openConsumer({ group, streams, handle: recorder.handle });
      await expectSettled(broker, stream, group, { processed: 100 });
      expectExactly(recorder.handled, sent);
    }
  });

  it('a late group that starts from the beginning reads what was published before it', async () => {
    const stream = freshName('orders');
    const streams = [stream];
    const early = new Recorder();
    await broker.openConsumer({ group: 'early', streams, handle: early.handle });
    const publisher = await broker.openPublisher();
    const before = await publishMany(publisher, stream, 150);
    await expectSettled(broker, stream, 'early', { processed: 150 });

    const late = new Recorder();
    const latest = new Recorder();
    const options = { startFrom: 'beginning' } as const;
    await broker.openConsumer({ group: 'late', streams, handle: late.handle, options });
    await broker.openConsumer({ group: 'latest', streams, handle: latest.handle });
    const after = await publishMany(publisher, stream, 50);
    await expectSettled(broker, stream, 'late', { processed: 200 });
    await expectSettled(broker, stream, 'latest', { processed: 50 });
    await expectSettled(broker, stream, 'early', { processed: 200 });
    expectExactly(late.handled, [...before, ...after]);
    expectExactly(latest.handled, after);
    expectExactly(early.handled, [...before, ...after]);
  });
}
