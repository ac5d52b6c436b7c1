import { expect, it } from '@jest/globals';

import { freshName } from '../../support/fresh-name.js';
import { waitFor } from '../../support/wait-for.js';
import type { BrokerUnderTest, ConsumerOptions, IncomingMessage } from '../broker-under-test.js';
import { numberOf, publishMany } from '../publish-many.js';
import { expectExactly, expectSettled, PATIENCE, Recorder } from '../recorder.js';

const GROUP = 'billing';

/** What happens to messages that a handler failed to handle. */
export function failures(broker: BrokerUnderTest): void {
  if (broker.promises.retries) {
    arriveLater(broker);
    goOn(broker);
    stayInOrder(broker);
  } else {
    areDeadAtOnce(broker);
    areDeadOnce(broker);
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

/** With the default, a message would be a dead letter after five failures. */
const PATIENT: ConsumerOptions = { retry: { delayMs: 5, maxAttempts: 1_000 } };

/** The consumers of {@link failsAndCloses}, and how many failures each of them sees before it closes. */
const FAILING = 3;
const FAILURES = 100;

/** Opens one consumer after the other that fails to handle everything, and closes it after {@link FAILURES}. */
async function failsAndCloses(broker: BrokerUnderTest, stream: string): Promise<string[]> {
  const failed: string[] = [];
  for (let consumers = 1; consumers <= FAILING; consumers++) {
    const consumer = await broker.openConsumer({
      group: GROUP,
      streams: [stream],
      handle: ({ messageId }) => {
        failed.push(messageId);
        throw new Error('this consumer is broken');
      },
      options: PATIENT,
    });
    await waitFor(() => failed.length >= consumers * FAILURES, PATIENCE);
    await consumer.close();
  }
  return failed;
}

function goOn(broker: BrokerUnderTest): void {
  it('three consumers that fail a hundred times and close leave all 50 messages to a fourth', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder();
    const { handle } = recorder;
    await (await broker.openConsumer({ group: GROUP, streams: [stream], handle })).close();
    const sent = await publishMany(await broker.openPublisher(), stream, 50);
    await failsAndCloses(broker, stream);
    await broker.openConsumer({ group: GROUP, streams: [stream], handle, options: PATIENT });
    await expectSettled(broker, stream, GROUP, { processed: 50 });
    expectExactly(recorder.handled, sent);
    expect(recorder.runs).toHaveLength(50);
  });
}

function stayInOrder(broker: BrokerUnderTest): void {
  it('with blocking retries, no message overtakes an unfinished one', async () => {
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
    // Each instance waits for its own messages: its runs are in the order of the stream or partition, attempt
    // after attempt.
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

function areDeadOnce(broker: BrokerUnderTest): void {
  it('what three consumers fail to handle before they close becomes a dead letter once, and the rest is handled', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder();
    const { handle } = recorder;
    await (await broker.openConsumer({ group: GROUP, streams: [stream], handle })).close();
    const sent = await publishMany(await broker.openPublisher(), stream, 1_000);
    const failed = await failsAndCloses(broker, stream);
    await broker.openConsumer({ group: GROUP, streams: [stream], handle });
    await expectSettled(broker, stream, GROUP, { processed: 1_000, deadLetters: failed.length });
    expectExactly(await broker.deadLetters(stream, GROUP), failed);
    expectExactly([...failed, ...recorder.handled], sent);
  });
}

const readerOf = ({ instance, partition }: IncomingMessage): string => `${instance}/${partition}`;

const placeOf = ({ payload, attempt }: IncomingMessage): { n: number; attempt: number } => ({
  n: numberOf(payload),
  attempt,
});
