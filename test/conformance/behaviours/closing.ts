import { once } from 'node:events';

import { expect, it } from '@jest/globals';

import { freshName } from '../../support/fresh-name.js';
import { timeWithoutStalls } from '../../support/time-without-stalls.js';
import { waitFor } from '../../support/wait-for.js';
import type { BrokerUnderTest, ConsumerOptions, IncomingMessage } from '../broker-under-test.js';
import { publishMany } from '../publish-many.js';
import { expectExactly, expectSettled, PATIENCE, Recorder } from '../recorder.js';

const GROUP = 'billing';
const DRAIN_MS = 100;
/** `close()` may take a second longer than the drain, and the machine may be busy. */
const ENDS_WITHIN_MS = DRAIN_MS + 1_000 + 1_000;

/** What happens to handlers that do not end by themselves when their consumer closes. */
export function closing(broker: BrokerUnderTest): void {
  const { retries } = broker.promises;

  /** Opens a consumer, publishes one message, and closes once its handler runs. */
  const closeWhileRunning = async (
    stream: string,
    recorder: Recorder,
    options: ConsumerOptions,
  ): Promise<IncomingMessage> => {
    const streams = [stream];
    const consumer = await broker.openConsumer({
      group: GROUP,
      streams,
      handle: recorder.handle,
      options: { drainTimeoutMs: DRAIN_MS, ...options },
    });
    await publishMany(await broker.openPublisher(), stream, 1);
    const run = await waitFor(() => recorder.runs[0], PATIENCE);
    expect(run.signal.aborted).toBe(false);
    expect(await timeWithoutStalls(consumer.close())).toBeLessThan(ENDS_WITHIN_MS);
    return run;
  };

  it('a consumer that closes with nothing pending leaves no member behind, and runs nothing more', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder();
    const consumer = await broker.openConsumer({
      group: GROUP,
      streams: [stream],
      handle: recorder.handle,
    });
    const publisher = await broker.openPublisher();
    await publishMany(publisher, stream, 10);
    await expectSettled(broker, stream, GROUP, { processed: 10 });
    expect(await broker.members(stream, GROUP)).not.toEqual([]);
    await consumer.close();
    expect(await broker.members(stream, GROUP)).toEqual([]);

    const later = await publishMany(publisher, stream, 10);
    const next = new Recorder();
    await broker.openConsumer({ group: GROUP, streams: [stream], handle: next.handle });
    await expectSettled(broker, stream, GROUP, { processed: 20 });
    expectExactly(next.handled, later);
    expect(recorder.runs).toHaveLength(10);
  });

  it('the signal of a handler is aborted when its consumer closes; a message that fails because of that has used no attempt', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder(async ({ signal }) => {
      await once(signal, 'abort');
      throw signal.reason;
    });
    const run = await closeWhileRunning(stream, recorder, {});
    expect(run.signal.aborted).toBe(true);

    const next = new Recorder();
    await broker.openConsumer({ group: GROUP, streams: [stream], handle: next.handle });
    await expectSettled(broker, stream, GROUP, { processed: 1, deadLetters: retries ? 0 : 1 });
    expect(next.runs.map(({ attempt }) => attempt)).toEqual(retries ? [1] : []);
  });

  it('a hanging handler does not hold up closing; its message comes back once its lease is over', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder(() => new Promise(() => undefined));
    const options = { recovery: { minIdleMs: 1_000, intervalMs: 100 } };
    const run = await closeWhileRunning(stream, recorder, options);
    expect(run.signal.aborted).toBe(true);

    const next = new Recorder();
    const streams = [stream];
    await broker.openConsumer({ group: GROUP, streams, handle: next.handle, options });
    await waitFor(async () => {
      const { pending, processed } = await broker.state(stream, GROUP);
      return pending === 0 && processed === 1;
    }, PATIENCE);
    // At most once, it was acknowledged before it ran.
    expect(next.handled).toEqual(retries ? [run.messageId] : []);
  });
}
