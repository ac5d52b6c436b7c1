import { expect, it } from '@jest/globals';

import { freshName } from '../../support/fresh-name.js';
import { waitFor } from '../../support/wait-for.js';
import type { BrokerUnderTest, OpenPublisher } from '../broker-under-test.js';
import { upTo } from '../publish-many.js';
import { expectSettled, PATIENCE, Recorder } from '../recorder.js';

const GROUP = 'billing';
const PUBLISHERS = 5;
const EACH = 200;
const TOTAL = PUBLISHERS * EACH;
const RESTARTS = 2;

/** A broker that is killed and comes back with its data. */
export function brokerRestart(broker: BrokerUnderTest): void {
  it('restarted twice under load, it loses nothing that was accepted, and nothing is handled twice', async () => {
    const stream = freshName('orders');
    const recorder = new Recorder();
    const streams = [stream];
    await broker.openConsumer({ group: GROUP, streams, handle: recorder.handle });
    const publishers = await Promise.all(upTo(PUBLISHERS).map(() => broker.openPublisher()));
    const publishing = Promise.all(
      publishers.map((publisher, at) => publishForSure(publisher, stream, `publisher ${at}`)),
    );
    for (let restart = 1; restart <= RESTARTS; restart++) {
      await waitFor(() => recorder.runs.length >= (restart * TOTAL) / 4, PATIENCE);
      await broker.restart();
    }
    const accepted = new Set((await publishing).flat());
    expect(accepted.size).toBe(TOTAL);

    await expectSettled(broker, stream, GROUP, { processed: TOTAL });
    const handled = new Set(recorder.handled);
    const lost = [...accepted].filter((id) => !handled.has(id));
    expect(lost.slice(RESTARTS * broker.promises.lostByRestart)).toEqual([]);
    expect(recorder.handled).toHaveLength(handled.size);
  }, 60_000);
}

/** Publishes one message after the other, each with the same message ID until it is accepted. */
async function publishForSure(
  publisher: OpenPublisher,
  stream: string,
  name: string,
): Promise<string[]> {
  const accepted: string[] = [];
  for (const n of upTo(EACH)) {
    const messageId = `${name}, message ${n}`;
    const isAccepted = (): Promise<boolean> =>
      publisher.publish({ stream, payload: { n }, messageId }).then(
        () => true,
        () => false,
      );
    await waitFor(isAccepted, { ...PATIENCE, description: `${messageId} accepted` });
    accepted.push(messageId);
  }
  return accepted;
}
