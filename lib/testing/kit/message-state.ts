import { compareEntryIds, redriveId } from '../../wire/ids.js';
import { readRange } from '../../redis/read/streams.js';
import { processedAtScript } from '../../redis/scripts/ledger/processed-at.script.js';
import { partitionName } from '../../wire/partitions.js';
import { delayedKeys, streamKeys } from '../../wire/stream-keys.js';
import { type AppInRedis, groupIn, msOf, transaction } from './app-in-redis.js';
import type { MessageState } from './message-history.js';

const PAGE = 1_000;
/** The digits before the message ID in the set of delayed messages. */
const ORDER_DIGITS = 16;

/** A message to look for; with its entry ID if that is known. */
export interface SoughtMessage {
  readonly stream: string;
  /** The stream itself, or one of its partitions. */
  readonly place: string;
  readonly messageId: string;
  readonly entryId: string | undefined;
}

/** Reads the state of a message. Everything is read in one transaction, except its dead letter, which is written last. */
export async function messageState(app: AppInRedis, sought: SoughtMessage): Promise<MessageState> {
  const { stream, place, messageId } = sought;
  const { client, server } = app;
  const { keyPrefix, group } = server.options;
  const keys = streamKeys(keyPrefix, place, group);
  const later = delayedKeys(keys.stream);
  const order = (await client.hget(later.messages, messageId))?.slice(0, ORDER_DIGITS) ?? '';
  // The entry ID does not tell its partition: in this one it may be that of another message.
  const known = place === stream ? sought.entryId : undefined;
  const entryId = known ?? (await findEntry(app, sought));
  const id = entryId ?? '0-1';
  const [time, dueLater, pending, dueAt, used, groups, entries] = await transaction(client, [
    ['TIME'],
    ['ZSCORE', later.delayed, order + messageId],
    ['XPENDING', keys.stream, group, id, id, '1'],
    ['ZSCORE', keys.retries, id],
    ['HGET', keys.attempts, id],
    ['XINFO', 'GROUPS', keys.stream],
    ['XRANGE', keys.stream, id, id],
  ]);
  const inMs = (score: unknown): number => Math.max(0, Math.ceil(Number(score)) - msOf(time));
  const attemptsUsed = Number.parseInt(String(used ?? 0), 10);
  if (isScore(dueLater)) return { kind: 'delayed', dueInMs: inMs(dueLater) };
  const [row] = Array.isArray(pending) ? (pending as unknown[][]) : [];
  if (row !== undefined) {
    if (isScore(dueAt))
      return { kind: 'retrying', entryId: id, attemptsUsed, dueInMs: inMs(dueAt) };
    const [, consumer, , deliveries] = row;
    return {
      kind: 'pending',
      entryId: id,
      consumer: String(consumer),
      deliveries: Number(deliveries),
      attemptsUsed,
    };
  }
  const dead = await deadLetterOf(app, sought);
  if (dead !== undefined) return dead;
  const { ledger, packedLedger } = keys;
  const [handledAt] = await processedAtScript.run(client, [ledger, packedLedger], [messageId]);
  if (handledAt !== undefined) return { kind: 'handled', handledAt: new Date(handledAt) };
  if (!Array.isArray(entries) || entries.length === 0) return { kind: 'unknown' };
  const delivered = groupIn(groups, group)?.lastDeliveredId ?? '0-0';
  return { kind: compareEntryIds(id, delivered) > 0 ? 'unread' : 'acknowledged', entryId: id };
}

const isScore = (reply: unknown): reply is string => typeof reply === 'string';

async function deadLetterOf(
  { client, server, deadLetters }: AppInRedis,
  { stream, place, messageId }: SoughtMessage,
): Promise<MessageState | undefined> {
  const { keyPrefix, group } = server.options;
  const keys = streamKeys(keyPrefix, place, group);
  for (let before: string | undefined; ;) {
    const page = await deadLetters.list({
      stream,
      limit: PAGE,
      ...(before === undefined ? {} : { before }),
    });
    const found = page.find(
      ({ partition, ...letter }) =>
        letter.messageId === messageId &&
        (partition === undefined || partitionName(stream, partition) === place),
    );
    if (found !== undefined) {
      const { id, reason, attempts } = found;
      const letter = id.slice(id.indexOf(':') + 1);
      const [dueAt, entries] = await transaction(client, [
        ['ZSCORE', keys.retries, redriveId(letter)],
        ['XRANGE', keys.deadLetters, letter, letter],
      ]);
      // A redrive may have been handled since the page was read.
      if (!Array.isArray(entries) || entries.length === 0) return undefined;
      return {
        kind: 'dead-letter',
        deadLetterId: id,
        reason,
        attempts,
        isRedriven: isScore(dueAt),
      };
    }
    if (page.length < PAGE) return undefined;
    before = page.at(-1)?.id;
  }
}

/** Finds the entry of a message. */
async function findEntry(
  { client, server }: AppInRedis,
  { stream, place, messageId }: SoughtMessage,
): Promise<string | undefined> {
  const { keyPrefix, codecs } = server.options;
  const codec = codecs.of(stream);
  for (let from = '-'; ;) {
    const page = await readRange(client, keyPrefix + place, from, '+', PAGE);
    for (const { id, fields = [] } of page) {
      if (id === messageId) return id;
      try {
        if (codec.decode(fields).messageId === messageId) return id;
      } catch {
        // An entry that cannot be decoded has no known message ID.
      }
    }
    if (page.length < PAGE) return undefined;
    from = `(${page.at(-1)?.id}`;
  }
}
