import { expect, it } from '@jest/globals';

import { freshName } from '../../support/fresh-name.js';
import type { BrokerUnderTest } from '../broker-under-test.js';
import { upTo } from '../publish-many.js';
import { expectExactly, expectSettled, Recorder } from '../recorder.js';

const GROUP = 'billing';
const CLIENTS = 20;
const EACH = 500;

/** What publishers can rely on. */
export function publishing(broker: BrokerUnderTest): void {
  it('20 publishers that close right after 10 000 messages lose none that was accepted, and all are accepted', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder();
    await broker.openConsumer({ group: GROUP, streams: [stream], handle: recorder.handle });
    const publishers = await Promise.all(upTo(CLIENTS).map(() => broker.openPublisher()));
    const sent = publishers.flatMap((publisher) =>
      upTo(EACH).map((n) => publisher.publish({ stream, payload: { n } })),
    );
    const results = Promise.allSettled(sent);
    await Promise.all(publishers.map((publisher) => publisher.close()));
    const accepted = (await results)
      .filter((result) => result.status === 'fulfilled')
      .map(({ value }) => value.messageId);
    // They were connected, and closing waits for the outstanding answers.
    expect(accepted).toHaveLength(CLIENTS * EACH);
    await expectSettled(broker, stream, GROUP, { processed: accepted.length });
    expectExactly(recorder.handled, accepted);
  });

  it('a message ID that is published again is not handled again', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder();
    await broker.openConsumer({ group: GROUP, streams: [stream], handle: recorder.handle });
    const publisher = await broker.openPublisher();
    const ids = upTo(50).map((n) => `${stream} message ${n}`);
    for (let round = 0; round < 3; round++) {
      await Promise.all(
        ids.map((messageId) => publisher.publish({ stream, payload: { round }, messageId })),
      );
    }
    // Arrives after all others, so that their end is known.
    const { messageId: last } = await publisher.publish({ stream, payload: 'last' });
    await expectSettled(broker, stream, GROUP, { processed: ids.length + 1 });
    expectExactly(recorder.handled, [...ids, last]);
  });
}
