import type { Command } from 'commander';
import type { Redis } from 'ioredis';
import type { DecodedEnvelope } from '../../wire/codec.js';
import { streamKey } from '../../wire/stream-keys.js';
import { compareEntryIds, publishedAtMs } from '../../wire/ids.js';
import { parseStreams, type RawEntry } from '../../redis/read/replies.js';
import { readRange, readRangeBackwards } from '../../redis/read/stream-reads.js';
import { errorText } from '../../redis/server/redis-errors.js';
import { parseEntryId, wholeNumber } from '../arguments.js';
import { timeText } from '../output/age.js';
import { jsonText } from '../output/json.js';
import { visible } from '../output/visible.js';
import { Session } from '../session.js';
import { untilInterrupted } from '../until-interrupted.js';
import * as text from './commands.messages.js';

interface Flags {
  readonly last: number;
  readonly from?: string;
  readonly follow: boolean;
}

/** How many entries are read at a time: each may hold a payload of a megabyte. */
const PAGE = 100;
const BLOCK_MS = 5_000;

export function tailCommand(program: Command): void {
  program
    .command('tail')
    .summary('follow a stream, decoded')
    .description(text.TAIL)
    .argument('<stream>', "the stream's name, without --prefix")
    .option('-n, --last <count>', 'begin with the last so many', wholeNumber(0, 1_000), 10)
    .option('--from <entryId>', 'begin with this entry instead', parseEntryId)
    .option('--no-follow', 'end after what is there')
    .addHelpText('after', text.example('tail orders -n 20', 'tail orders --json | jq .payload'))
    .action((stream: string, flags: Flags, command: Command) =>
      Session.with(command, (session) =>
        untilInterrupted((signal) => tail(session, stream, flags, signal)),
      ),
    );
}

async function tail(
  session: Session,
  stream: string,
  flags: Flags,
  signal: AbortSignal,
): Promise<void> {
  const { client, prefix } = session;
  const key = streamKey(prefix, stream);
  const show = (entry: RawEntry): void => showEntry(session, stream, entry);
  // Where nothing is there yet, what comes from now on.
  let after = '0-0';
  if (flags.from === undefined) {
    const last = await readRangeBackwards(client, key, '+', '-', Math.max(1, flags.last));
    after = last[0]?.id ?? after;
    if (flags.last > 0) last.sort((a, b) => compareEntryIds(a.id, b.id)).forEach(show);
  } else {
    for (let from = flags.from; !signal.aborted;) {
      const page = await readRange(client, key, from, '+', PAGE);
      page.forEach(show);
      after = page.at(-1)?.id ?? after;
      if (page.length < PAGE) break;
      from = `(${after}`;
    }
  }
  if (flags.follow) await follow(await session.blocking(), key, after, show, signal);
}

async function follow(
  client: Redis,
  key: string,
  from: string,
  show: (entry: RawEntry) => void,
  signal: AbortSignal,
): Promise<void> {
  signal.addEventListener('abort', () => client.disconnect(), { once: true });
  for (let after = from; !signal.aborted;) {
    const reply = await client.xreadBuffer('COUNT', PAGE, 'BLOCK', BLOCK_MS, 'STREAMS', key, after);
    for (const { entries } of parseStreams(reply, 'XREAD')) {
      entries.forEach(show);
      after = entries.at(-1)?.id ?? after;
    }
  }
}

function showEntry(session: Session, stream: string, { id, fields = [] }: RawEntry): void {
  const publishedAt = timeText(publishedAtMs(id));
  let envelope: DecodedEnvelope;
  try {
    envelope = session.codec.decode(fields);
  } catch (error) {
    const raw = Object.fromEntries(
      fields.flatMap((name, at) =>
        at % 2 === 0 ? [[name.toString(), fields[at + 1]?.toString()]] : [],
      ),
    );
    const why = errorText(error);
    return session.line(
      { entryId: id, publishedAt, error: why, fields: raw },
      () => `${publishedAt ?? ''} ${id} ${visible(text.undecodable(why))} ${jsonText(raw)}`,
    );
  }
  const { messageId = id, name = stream, payload, headers, key } = envelope;
  session.line({ entryId: id, publishedAt, messageId, name, headers, key, payload }, () =>
    [
      publishedAt ?? '',
      id,
      messageId === id ? undefined : visible(messageId),
      visible(name),
      jsonText(payload),
    ]
      .filter((part) => part !== undefined)
      .join(' '),
  );
}
