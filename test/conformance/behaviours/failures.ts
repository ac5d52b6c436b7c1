import { expect, it } from '@jest/globals';

import { freshName } from '../../support/fresh-name.js';
import type { BrokerUnderTest, IncomingMessage } from '../broker-under-test.js';
import { numberOf, publishMany } from '../publish-many.js';
import { expectExactly, expectSettled, Recorder } from '../recorder.js';

const GROUP = 'billing';

/** What becomes of messages that a handler failed to handle. */
export function failures(broker: BrokerUnderTest): void {
  if (broker.promises.retries) {
    arriveLater(broker);
    stayInOrder(broker);
  } else {
    areDeadAtOnce(broker);
  }
}

function arriveLater(broker: BrokerUnderTest): void {
  it('100 messages that fail at first all arrive later, and are handled once', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder(({ attempt }) => {
      if (attempt === 1) throw new Error('not yet');
    });
    await broker.openConsumer({
      group: GROUP,
      streams: [stream],
      handle: recorder.handle,
      options: { retry: { delayMs: 20 } },
    });
    const sent = await publishMany(await broker.openPublisher(), stream, 100);
    await expectSettled(broker, stream, GROUP, { processed: 100 });
    expectExactly(recorder.handled, sent);
    expect(recorder.runs).toHaveLength(200);
  });

  it('a message that always fails becomes a dead letter, and harms no other', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder(({ payload }) => {
      if (numberOf(payload) === 3) throw new Error('never');
    });
    await broker.openConsumer({
      group: GROUP,
      streams: [stream],
      handle: recorder.handle,
      options: { retry: { delayMs: 5 } },
    });
    const sent = await publishMany(await broker.openPublisher(), stream, 10);
    await expectSettled(broker, stream, GROUP, { processed: 9, deadLetters: 1 });
    expectExactly(await broker.deadLetters(stream, GROUP), sent.slice(3, 4));
    expectExactly(
      recorder.handled,
      sent.filter((_, n) => n !== 3),
    );
  });
}

function stayInOrder(broker: BrokerUnderTest): void {
  it('with retries in order, nothing is delivered past an unfinished message', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder(({ payload, attempt }) => {
      if (numberOf(payload) % 3 === 0 && attempt <= 2) throw new Error('not yet');
    });
    await broker.openConsumer({
      group: GROUP,
      streams: [stream],
      handle: recorder.handle,
      options: { concurrency: 1, retry: { delayMs: 20, blocking: true } },
    });
    const sent = await publishMany(await broker.openPublisher(), stream, 30);
    await expectSettled(broker, stream, GROUP, { processed: 30 });
    expectExactly(recorder.handled, sent);
    expect(recorder.runs).toHaveLength(50);
    // Each instance waits for its own: its runs are in the order of the stream or partition, attempt after attempt.
    const readers = new Set(recorder.runs.map(readerOf));
    for (const reader of readers) {
      const runs = recorder.runs.filter((run) => readerOf(run) === reader).map(placeOf);
      expect(runs).toEqual([...runs].sort((a, b) => a.n - b.n || a.attempt - b.attempt));
    }
  });
}

function areDeadAtOnce(broker: BrokerUnderTest): void {
  it('100 messages that fail become dead letters, in order, and are not run again', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder(() => {
      throw new Error('never');
    });
    await broker.openConsumer({
      group: GROUP,
      streams: [stream],
      handle: recorder.handle,
      options: { concurrency: 1, retry: { delayMs: 20 } },
    });
    const sent = await publishMany(await broker.openPublisher(), stream, 100);
    await expectSettled(broker, stream, GROUP, { processed: 100, deadLetters: 100 });
    expect(recorder.runs.map(({ messageId }) => messageId)).toEqual(sent);
    expectExactly(await broker.deadLetters(stream, GROUP), sent);
  });
}

const readerOf = ({ instance, partition }: IncomingMessage): string => `${instance}/${partition}`;

const placeOf = ({ payload, attempt }: IncomingMessage): { n: number; attempt: number } => ({
  n: numberOf(payload),
  attempt,
});
