import { setTimeout as delay } from 'node:timers/promises';

import { expect, it } from '@jest/globals';

import { freshName } from '../../support/fresh-name.js';
import type { BrokerUnderTest, OpenConsumer } from '../broker-under-test.js';
import { numberOf, publishMany, upTo } from '../publish-many.js';
import { expectExactly, expectSettled, Recorder } from '../recorder.js';

const GROUP = 'billing';

/** Consumers come and go without any effect on the messages. */
export function opening(broker: BrokerUnderTest): void {
  it('a consumer that is closed and opened again and again loses none of 5 000 messages, and handles none twice', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder(({ payload }) => numberOf(payload) % 25 === 0 && delay(2));
    const open = (): Promise<OpenConsumer> =>
      broker.openConsumer({ group: GROUP, streams: [stream], handle: recorder.handle });
    const publisher = await broker.openPublisher();
    const sent: string[] = [];
    for (let round = 1; round <= 10; round++) {
      const consumer = await open();
      const half = recorder.begun(recorder.runs.length + 250);
      const publishing = publishMany(publisher, stream, 500);
      await half;
      await consumer.close();
      sent.push(...(await publishing));
    }
    await open();
    await expectSettled(broker, stream, GROUP, { processed: sent.length });
    expectExactly(recorder.handled, sent);
    expect(recorder.runs).toHaveLength(sent.length);
  });

  it('consumers that each close after a thousand handle each of 5 000 waiting messages once', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder(() => new Promise(setImmediate));
    const open = (): Promise<OpenConsumer> =>
      broker.openConsumer({ group: GROUP, streams: [stream], handle: recorder.handle });
    await (await open()).close();
    const sent = await publishMany(await broker.openPublisher(), stream, 5_000);
    for (let closes = 1; closes <= 4; closes++) {
      const consumer = await open();
      await recorder.begun(closes * 1_000);
      await consumer.close();
    }
    await open();
    await expectSettled(broker, stream, GROUP, { processed: sent.length });
    expectExactly(recorder.handled, sent);
    expect(recorder.runs).toHaveLength(sent.length);
  });

  it('a consumer that closes as soon as it is open leaves to the next what it has not handled', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder();
    const open = (): Promise<OpenConsumer> =>
      broker.openConsumer({ group: GROUP, streams: [stream], handle: recorder.handle });
    await (await open()).close();
    const sent = await publishMany(await broker.openPublisher(), stream, 100);
    for (let closes = 0; closes < 5; closes++) await (await open()).close();
    await open();
    await expectSettled(broker, stream, GROUP, { processed: sent.length });
    expectExactly(recorder.handled, sent);
    expect(recorder.runs).toHaveLength(sent.length);
  });

  it('ten instances that open and close together while 5 000 messages arrive lose none, and handle none twice', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder(({ payload }) => {
      const n = numberOf(payload);
      return n % 10 === 0 && delay(n % 7);
    });
    const open = (): Promise<OpenConsumer> =>
      broker.openConsumer({
        group: GROUP,
        streams: [stream],
        handle: recorder.handle,
        options: { startFrom: 'beginning' },
      });
    const publisher = await broker.openPublisher();
    const sent: string[] = [];
    for (let round = 1; round <= 5; round++) {
      const publishing = publishMany(publisher, stream, 500);
      const consumers = await Promise.all(upTo(10).map(open));
      const more = publishMany(publisher, stream, 500);
      await Promise.all(consumers.map((consumer) => consumer.close()));
      sent.push(...(await publishing), ...(await more));
    }
    await open();
    await expectSettled(broker, stream, GROUP, { processed: sent.length });
    expectExactly(recorder.handled, sent);
    expect(recorder.runs).toHaveLength(sent.length);
  });
}
