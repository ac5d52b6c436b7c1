import type { Command } from 'commander';
import type { Redis } from 'ioredis';
import { visible } from '../../errors/thrown.js';
import { compareEntryIds, publishedAtMs } from '../../wire/ids.js';
import { parseStreams, type RawEntry } from '../../redis/read/replies.js';
import { readRange, readRangeBackwards } from '../../redis/read/streams.js';
import { errorText } from '../../redis/server/redis-errors.js';
import type { DecodedEnvelope, RawFields } from '../../wire/codec.js';
import { streamKey } from '../../wire/stream-keys.js';
import { isShowable, jsonText, timeText } from '../output/text.js';
import { Session } from '../session.js';
import { untilInterrupted } from '../output/terminal.js';

interface Flags {
  readonly last: number;
  readonly from?: string;
  readonly follow: boolean;
}

/** How many entries one read returns: each may hold a payload of a megabyte. */
const PAGE = 100;
const BLOCK_MS = 5_000;

export const tail = (stream: string, flags: Flags, command: Command): Promise<void> =>
  Session.with(command, (session) =>
    untilInterrupted((signal) => printEntries(session, stream, flags, signal)),
  );

async function printEntries(
  session: Session,
  stream: string,
  flags: Flags,
  signal: AbortSignal,
): Promise<void> {
  const { client, prefix } = session;
  const key = streamKey(prefix, stream);
  const print = (entry: RawEntry): void => printEntry(session, stream, entry);
  // If the stream is empty, everything published from now on.
  let after = '0-0';
  if (flags.from === undefined) {
    const last = await readRangeBackwards(client, key, '+', '-', Math.max(1, flags.last));
    after = last[0]?.id ?? after;
    if (flags.last > 0) last.sort((a, b) => compareEntryIds(a.id, b.id)).forEach(print);
  } else {
    for (let from = flags.from; !signal.aborted;) {
      const page = await readRange(client, key, from, '+', PAGE);
      page.forEach(print);
      after = page.at(-1)?.id ?? after;
      if (page.length < PAGE) break;
      from = `(${after}`;
    }
  }
  if (flags.follow) await follow(await session.blocking(), key, after, print, signal);
}

async function follow(
  client: Redis,
  key: string,
  from: string,
  print: (entry: RawEntry) => void,
  signal: AbortSignal,
): Promise<void> {
  signal.addEventListener('abort', () => client.disconnect(), { once: true });
  for (let after = from; !signal.aborted;) {
    const reply = await client.xreadBuffer('COUNT', PAGE, 'BLOCK', BLOCK_MS, 'STREAMS', key, after);
    for (const { entries } of parseStreams(reply, 'XREAD')) {
      entries.forEach(print);
      after = entries.at(-1)?.id ?? after;
    }
  }
}

function printEntry(session: Session, stream: string, { id, fields = [] }: RawEntry): void {
  const publishedAt = timeText(publishedAtMs(id));
  let envelope: DecodedEnvelope;
  try {
    envelope = session.codec.decode(fields);
  } catch (error) {
    const [raw, why] = [rawFields(fields), errorText(error)];
    return session.line(
      { entryId: id, publishedAt, error: why, fields: raw },
      () => `${publishedAt ?? ''} ${id} (not decoded: ${visible(why)}) ${jsonText(raw)}`,
    );
  }
  const { messageId = id, name = stream, payload, headers, key } = envelope;
  const shown = isShowable(payload) ? { payload } : { fields: rawFields(fields) };
  session.line({ entryId: id, publishedAt, messageId, name, headers, key, ...shown }, () =>
    [
      publishedAt ?? '',
      id,
      messageId === id ? undefined : visible(messageId),
      visible(name),
      jsonText(shown.fields ?? shown.payload),
    ]
      .filter((part) => part !== undefined)
      .join(' '),
  );
}

const rawFields = (fields: RawFields): Record<string, string | undefined> =>
  Object.fromEntries(
    fields.flatMap((name, at) =>
      at % 2 === 0 ? [[name.toString(), fields[at + 1]?.toString()]] : [],
    ),
  );
