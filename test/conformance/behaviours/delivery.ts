import { expect, it } from '@jest/globals';

import { freshName } from '../../support/fresh-name.js';
import { waitFor } from '../../support/wait-for.js';
import type { BrokerUnderTest } from '../broker-under-test.js';
import { publishMany, upTo } from '../publish-many.js';
import { expectExactly, expectSettled, PATIENCE, Recorder } from '../recorder.js';

const GROUP = 'billing';

/** One of each kind that JSON has, in turn. */
const payloadOf = (n: number): unknown =>
  [
    { n, nested: { list: [n, null, { deep: true }], text: 'grüße, 世界 🚚' } },
    `text ${n}\n"quoted"\u0000`,
    n + 0.5,
    [n, [], {}],
    n % 2 === 0,
    { blank: '', large: 'x'.repeat(n * 100) },
  ][n % 6];

/** Messages arrive as they were sent: all of them, in their streams, once. */
export function delivery(broker: BrokerUnderTest): void {
  it('100 messages arrive with the payload, headers and message ID that they were sent with', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder();
    await broker.openConsumer({ group: GROUP, streams: [stream], handle: recorder.handle });
    const publisher = await broker.openPublisher();
    const sent = upTo(100).map((n) => ({
      stream,
      payload: payloadOf(n),
      headers: n % 3 === 0 ? {} : { 'x-n': String(n), 'x-text': 'grüße\n世界' },
      messageId: `${stream} message ${n}`,
    }));
    await Promise.all(sent.map((message) => publisher.publish(message)));
    await waitFor(() => recorder.handled.length >= sent.length, PATIENCE);
    const byId = new Map(recorder.runs.map((run) => [run.messageId, run]));
    for (const message of sent) expect(byId.get(message.messageId)).toMatchObject(message);
    expectExactly(
      recorder.handled,
      sent.map(({ messageId }) => messageId),
    );
    await expectSettled(broker, stream, GROUP, { processed: 100 });
  });

  it('50 consumers handle each of 5 000 messages from 50 publishers once', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder();
    await Promise.all(
      upTo(50).map(() =>
        broker.openConsumer({ group: GROUP, streams: [stream], handle: recorder.handle }),
      ),
    );
    const publishers = await Promise.all(upTo(50).map(() => broker.openPublisher()));
    const sent = await Promise.all(
      publishers.map((publisher) => publishMany(publisher, stream, 100)),
    );
    await expectSettled(broker, stream, GROUP, { processed: 5_000 });
    expectExactly(recorder.handled, sent.flat());
  });

  it('a consumer of 20 streams gets 500 messages of each, with the same message IDs in all of them', async () => {
    const streams = upTo(20).map(() => freshName('orders'));
    const recorder = new Recorder();
    await broker.openConsumer({ group: GROUP, streams, handle: recorder.handle });
    const publisher = await broker.openPublisher();
    const sent = upTo(500).map((n) => `message ${n}`);
    const messageIdOf = (n: number): string => `message ${n}`;
    await Promise.all(
      streams.map((stream) => publishMany(publisher, stream, sent.length, { messageIdOf })),
    );
    for (const stream of streams) {
      await expectSettled(broker, stream, GROUP, { processed: sent.length });
      const runs = recorder.runs.filter((run) => run.stream === stream);
      expectExactly(
        runs.map(({ messageId }) => messageId),
        sent,
      );
    }
  });

  it('nothing leaks between streams: neither messages, nor records of processed ones, nor failures', async () => {
    const name = freshName('orders');
    // Names of which one is part of the other.
    const streams = [name, `${name}:group`, `${name}:group:${GROUP}`, `{${name}}:group`];
    const failing = streams[1];
    const recorder = new Recorder(({ stream, attempt }) => {
      if (stream === failing && attempt === 1) throw new Error('fails in this stream');
    });
    for (const stream of streams) {
      await broker.openConsumer({
        group: GROUP,
        streams: [stream],
        handle: recorder.handle,
        options: { retry: { delayMs: 20 } },
      });
    }
    const publisher = await broker.openPublisher();
    for (const stream of streams) {
      await publisher.publish({ stream, payload: { stream }, messageId: 'the same everywhere' });
    }
    const { retries } = broker.promises;
    for (const stream of streams) {
      const isDead = stream === failing && !retries;
      await expectSettled(broker, stream, GROUP, { processed: 1, deadLetters: isDead ? 1 : 0 });
      const runs = recorder.runs.filter((run) => run.stream === stream);
      expect(runs.map(({ payload }) => payload)).toEqual(
        Array.from({ length: stream === failing && retries ? 2 : 1 }, () => ({ stream })),
      );
    }
  });
}
