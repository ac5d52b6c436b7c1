import { setTimeout as delay } from 'node:timers/promises';

import { expect, it } from '@jest/globals';

import { freshName } from '../../support/fresh-name.js';
import { waitFor } from '../../support/wait-for.js';
import type { BrokerUnderTest, OpenConsumer } from '../broker-under-test.js';
import { numberOf, publishMany, upTo } from '../publish-many.js';
import { expectExactly, expectSettled, PATIENCE, Recorder } from '../recorder.js';

const GROUP = 'billing';

/** Consumers come and go, and the messages do not notice. */
export function opening(broker: BrokerUnderTest): void {
  it('a consumer that is closed and opened over and over loses nothing, and handles nothing twice', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder(() => delay(2));
    const open = (): Promise<OpenConsumer> =>
      broker.openConsumer({ group: GROUP, streams: [stream], handle: recorder.handle });
    const publisher = await broker.openPublisher();
    const sent: string[] = [];
    for (let round = 1; round <= 10; round++) {
      const consumer = await open();
      sent.push(...(await publishMany(publisher, stream, 40)));
      const before = recorder.runs.length;
      await waitFor(() => recorder.runs.length > before, PATIENCE);
      await consumer.close();
    }
    await open();
    await expectSettled(broker, stream, GROUP, { processed: sent.length, timeoutMs: 40_000 });
    expectExactly(recorder.handled, sent);
    expect(recorder.runs).toHaveLength(sent.length);
  }, 60_000);

  it('ten instances that open and close at once, while messages come in, lose nothing and handle nothing twice', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder(({ payload }) => delay(numberOf(payload) % 10));
    const open = (): Promise<OpenConsumer> =>
      broker.openConsumer({
        group: GROUP,
        streams: [stream],
        handle: recorder.handle,
        options: { startFrom: 'beginning' },
      });
    const publisher = await broker.openPublisher();
    const sent: string[] = [];
    for (let round = 1; round <= 3; round++) {
      const publishing = publishMany(publisher, stream, 100);
      const consumers = await Promise.all(upTo(10).map(open));
      const more = publishMany(publisher, stream, 100);
      await Promise.all(consumers.map((consumer) => consumer.close()));
      sent.push(...(await publishing), ...(await more));
    }
    await open();
    await expectSettled(broker, stream, GROUP, { processed: sent.length, timeoutMs: 40_000 });
    expectExactly(recorder.handled, sent);
    expect(recorder.runs).toHaveLength(sent.length);
  }, 60_000);
}
