import type { Redis } from 'ioredis';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { SafeLogger } from '../errors/safe-logger.js';
import { checkOptions } from '../options/check-options.js';
import { type ImportLedgerOptions, importLedgerSchema } from '../options/import-ledger-options.js';
import { DEFAULTS } from '../options/resolved-options.js';
import { OpenedConnection } from '../redis/connect/opened-connection.js';
import { parseList, parseText } from '../redis/read/replies.js';
import { readRange } from '../redis/read/streams.js';
import { importLedgerScript } from '../redis/scripts/ledger/import-ledger.script.js';
import { redisTimeMs } from '../redis/server/clocks.js';
import type { Codec } from '../wire/codec.js';
import { JsonCodec } from '../wire/json.codec.js';
import { messageIdOf } from '../wire/ids.js';
import { messageIdIn } from '../wire/request-reply-fields.js';
import { dtpyfwLedgerKey, streamKeys } from '../wire/stream-keys.js';

/** How many message IDs one step takes over: Redis serves nobody else during a script, and each entry is read. */
const STEP = 100;
const ENTRY_ID = /^\d{1,20}-\d{1,20}$/;

/** What an import has done. */
export interface ImportedLedger {
  /** How many message IDs the ledger got. */
  readonly imported: number;
  /** How many it had already. */
  readonly known: number;
  /** How many were left out, since they were processed before the window. */
  readonly outside: number;
}

/**
 * Takes over the ledger of another program, dtpyfw's for example, into that of a group: what the other program has processed, or
 * begun, does not run again. It changes nothing of the other program's, and may be repeated: then it takes what has been added.
 *
 * @example
 * ```ts
 * const { imported } = await importLedger({ connection, stream: 'orders', group: 'orders:processor:cg' });
 * ```
 *
 * @throws InvalidOptionsError, also if there is no ZSET
 */
export async function importLedger(options: ImportLedgerOptions): Promise<ImportedLedger> {
  checkOptions(importLedgerSchema, options, 'importLedger');
  const connection = new OpenedConnection(options.connection ?? DEFAULTS.connection, {
    role: 'operator',
    name: 'nestjs-redis-streams:import-ledger',
    called: 'import of a ledger',
    logger: new SafeLogger('importLedger'),
  });
  try {
    return await importLedgerOver(await connection.ready(), options);
  } finally {
    connection.drop();
  }
}

/** The same over a connection that exists, with options that were checked. */
export async function importLedgerOver(
  client: Redis,
  options: ImportLedgerOptions,
): Promise<ImportedLedger> {
  const { stream, group, keyPrefix = '', windowMs = DEFAULTS.dedupWindowMs } = options;
  const { codec = new JsonCodec(), onProgress } = options;
  const keys = streamKeys(keyPrefix, stream, group);
  const from = options.from ?? dtpyfwLedgerKey(keyPrefix, stream, group);
  await checkSource(client, from, keys.ledger);
  const [total, nowMs] = await Promise.all([client.zcard(from), redisTimeMs(client)]);
  const messageIdFor = (id: string): Promise<string> =>
    ENTRY_ID.test(id)
      ? messageIdOfEntry(client, codec, stream, keys.stream, id)
      : Promise.resolve(id);
  let cursor = '0';
  let [done, imported, known, outside] = [0, 0, 0, 0];
  do {
    const page = await readPage(client, from, cursor);
    ({ cursor } = page);
    // A small ZSET comes as a whole, whatever was asked for.
    for (let at = 0; at < page.processed.length; at += STEP) {
      const step = page.processed.slice(at, at + STEP);
      const recent = step.filter(({ atMs }) => atMs > nowMs - windowMs);
      const rows = await Promise.all(
        recent.map(async ({ id, atMs }) => [await messageIdFor(id), atMs]),
      );
      const added =
        rows.length === 0
          ? 0
          : await importLedgerScript.run(client, [keys.ledger, keys.packedLedger], rows.flat());
      imported += added;
      known += rows.length - added;
      outside += step.length - rows.length;
      done += step.length;
      onProgress?.({ done, total: Math.max(done, total) });
    }
  } while (cursor !== '0');
  return { imported, known, outside };
}

async function checkSource(client: Redis, from: string, ledger: string): Promise<void> {
  const type = from === ledger ? 'ledger' : await client.type(from);
  if (type === 'zset') return;
  const holds = type === 'none' ? 'does not exist' : `is a ${type}`;
  throw new InvalidOptionsError(
    'importLedger.from',
    `"${from}", which ${from === ledger ? "is the group's own ledger" : holds}`,
    "the key of another program's ZSET of message IDs",
  );
}

interface Page {
  readonly cursor: string;
  readonly processed: readonly { readonly id: string; readonly atMs: number }[];
}

async function readPage(client: Redis, from: string, cursor: string): Promise<Page> {
  const reply = parseList(await client.callBuffer('ZSCAN', from, cursor, 'COUNT', STEP), 'ZSCAN');
  const rows = parseList(reply[1], 'ZSCAN');
  const processed = [];
  for (let at = 0; at + 1 < rows.length; at += 2) {
    const id = rows[at];
    const atMs = Number(parseText(rows[at + 1], 'ZSCAN'));
    processed.push({ id: Buffer.isBuffer(id) ? messageIdOf(id) : parseText(id, 'ZSCAN'), atMs });
  }
  return { cursor: parseText(reply[0], 'ZSCAN'), processed };
}

/** The message ID of an entry; its entry ID if it has none, cannot be read, or is gone. */
async function messageIdOfEntry(
  client: Redis,
  codec: Codec,
  stream: string,
  key: string,
  id: string,
): Promise<string> {
  const [entry] = await readRange(client, key, id, id, 1);
  if (entry?.fields === undefined) return id;
  return messageIdIn(codec, stream, entry.fields) ?? id;
}
