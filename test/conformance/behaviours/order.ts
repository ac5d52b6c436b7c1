import { expect, it } from '@jest/globals';

import { freshName } from '../../support/fresh-name.js';
import { waitFor } from '../../support/wait-for.js';
import type { BrokerUnderTest, ConsumerOptions, OpenConsumer } from '../broker-under-test.js';
import { publishMany } from '../publish-many.js';
import { expectExactly, expectInOrder, expectSettled, PATIENCE, Recorder } from '../recorder.js';

const GROUP = 'billing';
const KEYS = 16;

/** In which order messages are handled, and what holds them back. */
export function order(broker: BrokerUnderTest): void {
  /** What order requires: one message at a time, or keys. */
  const inOrder: ConsumerOptions = broker.promises.order === 'key' ? {} : { concurrency: 1 };

  it('1 000 messages that are published while no consumer runs are handled in order later', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder();
    const open = (): Promise<OpenConsumer> =>
      broker.openConsumer({
        group: GROUP,
        streams: [stream],
        handle: recorder.handle,
        options: inOrder,
      });
    await (await open()).close();
    const sent = await publishMany(await broker.openPublisher(), stream, 1_000, { keys: KEYS });
    await open();
    await expectSettled(broker, stream, GROUP, { processed: sent.length });
    expectExactly(recorder.handled, sent);
    expectInOrder(broker, recorder.runs);
  });

  it('1 000 messages are handled in order, each once, by consumers that close in the middle', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder(() => new Promise(setImmediate));
    const open = (): Promise<OpenConsumer> =>
      broker.openConsumer({
        group: GROUP,
        streams: [stream],
        handle: recorder.handle,
        options: inOrder,
      });
    await (await open()).close();
    const publisher = await broker.openPublisher();
    const sent = await publishMany(publisher, stream, 500, { keys: KEYS });
    for (let closes = 1; closes <= 9; closes++) {
      const consumer = await open();
      // Even if another one is reading.
      if (closes === 3) {
        sent.push(...(await publishMany(publisher, stream, 500, { keys: KEYS, from: 500 })));
      }
      await recorder.begun(closes * 100);
      await consumer.close();
    }
    await open();
    await expectSettled(broker, stream, GROUP, { processed: sent.length });
    expectExactly(recorder.handled, sent);
    expect(recorder.runs).toHaveLength(sent.length);
    expectInOrder(broker, recorder.runs);
  });

  it('an unfinished message holds back those after it, and nothing else; it is not run again', async () => {
    const [stream, other] = [freshName('orders'), freshName('orders')];
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const recorder = new Recorder((message) => (message.stream === stream ? finished : undefined));
    await broker.openConsumer({
      group: GROUP,
      streams: [stream, other],
      handle: recorder.handle,
      options: { concurrency: 1 },
    });
    const publisher = await broker.openPublisher();
    const sent = await publishMany(publisher, stream, 10, { keys: 1 });
    const held = () => recorder.runs.filter((run) => run.stream === stream);
    await waitFor(() => held().length > 0, PATIENCE);
    // Time enough for more: these arrive later, and are handled.
    await publishMany(publisher, other, 500, { keys: KEYS });
    await expectSettled(broker, other, GROUP, {
      processed: 500,
      othersRun: true,
    });
    // One at a time: for each member, or for all if order is promised.
    const { order: promised } = broker.promises;
    const lanes = held().map(({ instance }) => (promised === 'none' ? instance : 0));
    expect(lanes).toHaveLength(new Set(lanes).size);
    finish();
    await expectSettled(broker, stream, GROUP, { processed: 10 });
    expectExactly(
      held().map(({ messageId }) => messageId),
      sent,
    );
    expectInOrder(broker, held());
    expect(held()).toHaveLength(10);
  });
}
