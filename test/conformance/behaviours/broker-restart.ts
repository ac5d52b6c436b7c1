import { setTimeout as delay } from 'node:timers/promises';

import { expect, it } from '@jest/globals';

import { freshName } from '../../support/fresh-name.js';
import { waitFor } from '../../support/wait-for.js';
import type { BrokerUnderTest, OpenPublisher } from '../broker-under-test.js';
import { numberOf, upTo } from '../publish-many.js';
import { expectExactly, expectSettled, PATIENCE, Recorder } from '../recorder.js';

const GROUP = 'billing';
const PUBLISHERS = 5;
/** How many messages of each publisher are under way at a time. */
const LANES = 20;
/** Before each restart, and after the last. */
const MESSAGES = 3_334;
const RESTARTS = 2;
/** Between two messages of a lane, so that a broker that takes seconds to come back leaves no large backlog. */
const PAUSE_MS = 20;

/** A broker that is killed and comes back with its data. */
export function brokerRestart(broker: BrokerUnderTest): void {
  it('restarted twice under a load of 10 000 messages, it loses none that was accepted, and none is handled twice', async () => {
    const stream = freshName('orders');
    // Slow now and then, so that messages run and wait when the broker goes away.
    const recorder = new Recorder(({ payload }) => numberOf(payload) % 10 === 0 && delay(1));
    const streams = [stream];
    await broker.openConsumer({ group: GROUP, streams, handle: recorder.handle });
    const publishers = await Promise.all(upTo(PUBLISHERS).map(() => broker.openPublisher()));
    const load: Load = { accepted: [], underWay: 0, isOver: false };
    const publishing = Promise.all(
      publishers.flatMap((publisher, at) =>
        upTo(LANES).map((lane) => publishForSure(publisher, stream, `${at}.${lane}`, load)),
      ),
    );
    const more = async (isEnough: () => boolean): Promise<void> => {
      const before = load.accepted.length;
      await waitFor(() => load.accepted.length >= before + MESSAGES && isEnough(), PATIENCE);
    };
    for (let restart = 1; restart <= RESTARTS; restart++) {
      // Otherwise the broker would not be under load when it goes away.
      await more(() => load.underWay > 0 && recorder.runs.length > 0);
      await broker.restart();
    }
    await more(() => true);
    load.isOver = true;
    await publishing;

    await expectSettled(broker, stream, GROUP, { processed: load.accepted.length });
    const handled = new Set(recorder.handled);
    const lost = load.accepted.filter((id) => !handled.has(id));
    expect(lost.slice(RESTARTS * broker.promises.lostByRestart)).toEqual([]);
    expectExactly([...recorder.handled, ...lost], load.accepted);
  });
}

/** What happened to the published messages. */
interface Load {
  readonly accepted: string[];
  /** How many messages are sent, and not answered. */
  underWay: number;
  /** Whether no more are needed. */
  isOver: boolean;
}

/** Publishes one message after the other, each with the same message ID until it is accepted. */
async function publishForSure(
  publisher: OpenPublisher,
  stream: string,
  lane: string,
  load: Load,
): Promise<void> {
  for (let n = 0; !load.isOver; n++) {
    const messageId = `message ${lane}.${n}`;
    const isAccepted = (): Promise<boolean> =>
      publisher.publish({ stream, payload: { n }, messageId }).then(
        () => true,
        () => false,
      );
    load.underWay++;
    await waitFor(isAccepted, { ...PATIENCE, description: `${messageId} accepted` });
    load.underWay--;
    load.accepted.push(messageId);
    await delay(PAUSE_MS);
  }
}
