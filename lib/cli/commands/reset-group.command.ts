import { visible } from '../../errors/thrown.js';
import { beforeTime } from '../../options/start-from.js';
import { ledgerSize } from '../../redis/read/own-records.js';
import { readRange } from '../../redis/read/streams.js';
import type { StreamInfo } from '../../redis/read/xinfo.js';
import { resetGroupScript } from '../../redis/scripts/admin/reset-group.script.js';
import { forgetMessagesScript } from '../../redis/scripts/ledger/forget-messages.script.js';
import { processedAtScript } from '../../redis/scripts/ledger/processed-at.script.js';
import { redisTimeMs } from '../../redis/server/clocks.js';
import { compareEntryIds } from '../../wire/ids.js';
import { messageIdIn } from '../../wire/request-reply-fields.js';
import { type StreamKeys, streamKeys } from '../../wire/stream-keys.js';
import { UsageError } from '../cli.error.js';
import { confirm, openBar } from '../output/terminal.js';
import { groupOf, knownLag } from '../reading/group-rows.js';
import { streamOf } from '../reading/streams.js';
import { onGroup, type Session } from '../session.js';

interface Flags {
  readonly to: string;
  readonly forgetLedger?: boolean;
  readonly ignoreLedger?: boolean;
  readonly dryRun?: boolean;
}

interface Reset {
  readonly stream: string;
  readonly group: string;
  readonly from: string;
  readonly to: string;
  readonly pending: number;
  readonly ledger: number;
  readonly forgets: 'nothing' | 'what it meets' | 'all';
  readonly isForward: boolean;
  /** How many undelivered entries the group will never get, if that is known. */
  readonly skipped: number | undefined;
}

/** What the group would get. */
interface Preview {
  readonly messages: number;
  /** How many of them are in the ledger. */
  readonly handled: number;
}

/** How many entries one step reads: Redis serves nobody else meanwhile. */
const STEP = 200;

export const resetGroup = onGroup<Flags>(async (session, stream, group, flags) => {
  const { forgetLedger = false, ignoreLedger = false, dryRun = false } = flags;
  if (forgetLedger && ignoreLedger) {
    throw new UsageError('give --ignore-ledger or --forget-ledger, not both');
  }
  const { client, prefix } = session;
  const keys = streamKeys(prefix, stream, group);
  const info = await streamOf(session, stream);
  const found = await groupOf(session, stream, group);
  const to = await positionOf(session, flags.to);
  const { lastDeliveredId: from, pending } = found;
  const { all: ledger } = await ledgerSize(client, keys);
  if (dryRun) {
    const preview = await walk(session, stream, keys, to, info, false);
    session.answer({ dryRun, stream, group, from, to, pending, ledger, ...preview }, () =>
      previewText(preview, forgetLedger || ignoreLedger),
    );
    return;
  }
  const reset: Reset = {
    stream,
    group,
    from,
    to: to === '$' ? info.lastGeneratedId : to,
    pending,
    ledger,
    forgets: forgetLedger ? 'all' : ignoreLedger ? 'what it meets' : 'nothing',
    isForward: to === '$' || (to !== '0' && compareEntryIds(to, from) > 0),
    skipped: to === '$' ? knownLag(info, found) : undefined,
  };
  await confirm(questionOf(reset), session.yes);
  // Before the group is moved: once it is, it meets them.
  if (ignoreLedger) await walk(session, stream, keys, to, info, true);
  const after = await resetGroupScript.run(
    client,
    [keys.stream, keys.position, keys.madeBlindly, keys.ledger, keys.packedLedger],
    [group, to, forgetLedger ? 1 : 0],
  );
  const { all: left } = await ledgerSize(client, keys);
  session.answer(
    { stream, group, from, after, pending, ledger: left },
    () => `Group "${visible(group)}" continues after ${after}.`,
  );
});

/** @throws UsageError if it is a time that has not come */
async function positionOf({ client }: Session, given: string): Promise<string> {
  if (!given.startsWith('-') && !given.endsWith(NEXT_MS)) return given;
  const nowMs = await redisTimeMs(client);
  if (given.startsWith('-')) return beforeTime(nowMs + Number(given)) ?? given;
  const ms = Number(given.slice(0, -NEXT_MS.length)) + 1;
  if (ms <= nowMs) return given;
  throw new UsageError(`${new Date(ms).toISOString()} is in the future by the clock of Redis`);
}

/** The end of a position that comes from a time. */
const NEXT_MS = '-18446744073709551615';

/**
 * Counts what the group would get after `to`, and how much of that is in its ledger; or has that forgotten. What is published
 * meanwhile is left out, so that it ends.
 */
async function walk(
  { client, codec }: Session,
  stream: string,
  keys: StreamKeys,
  to: string,
  { length, lastGeneratedId }: Pick<StreamInfo, 'length' | 'lastGeneratedId'>,
  forgets: boolean,
): Promise<Preview> {
  let [messages, handled] = [0, 0];
  if (to === '$') return { messages, handled };
  const ledger = [keys.ledger, keys.packedLedger];
  const bar = await openBar(forgets ? 'Forgetting' : 'Counting', length);
  try {
    for (let after = to; ;) {
      const entries = await readRange(client, keys.stream, `(${after}`, lastGeneratedId, STEP);
      const last = entries.at(-1);
      if (last === undefined) return { messages, handled };
      const ids = entries.map(({ id, fields = [] }) => messageIdIn(codec, stream, fields) ?? id);
      if (forgets) handled += await forgetMessagesScript.run(client, ledger, ids);
      else {
        const times = await processedAtScript.run(client, ledger, ids);
        handled += times.filter((at) => at !== undefined).length;
      }
      messages += entries.length;
      bar.to(messages, Math.max(messages, length));
      after = last.id;
    }
  } finally {
    bar.end();
  }
}

function previewText({ messages, handled }: Preview, runsAgain: boolean): string {
  const count = `The group would get ${messages} messages`;
  if (handled === 0) return `${count}, and none of them is in its ledger.`;
  const what = runsAgain ? 'run again' : 'not run again; --ignore-ledger runs them';
  return `${count}. ${handled} of them are in its ledger: they are ${what}.`;
}

function questionOf(reset: Reset): string {
  const { stream, group, from, to, pending, ledger, forgets, isForward, skipped } = reset;
  const sentences = [`Group "${group}" of stream "${stream}" is at ${from} and is moved to ${to}.`];
  if (isForward && skipped !== 0) {
    const count = skipped === undefined ? '' : `: ${skipped} entries`;
    sentences.push(`It never gets the entries between${count}.`);
  }
  if (ledger === 0) {
    sentences.push('Its ledger is empty: entries that it meets again are run again.');
  } else if (forgets === 'all') {
    sentences.push(
      `Its ledger of ${ledger} message IDs is emptied: entries that it meets again are run again.`,
    );
  } else if (forgets === 'what it meets') {
    sentences.push('Its ledger forgets the entries that it meets again: they are run again.');
  } else {
    sentences.push(`Its ledger has ${ledger} message IDs: those are not run again.`);
  }
  if (pending > 0) sentences.push(`${pending} entries stay pending.`);
  return [...sentences, 'Continue?'].join(' ');
}
