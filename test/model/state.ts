import type { Redis } from 'ioredis';

import type { StreamKeys } from '../../lib/wire/stream-keys.js';
import { packedDigest, packedRecords } from '../support/packed-ledger.js';

/** Leases and waiting times last this long, so that nothing ends by itself during a test. */
export const LONG_MS = 3_600_000;
/** An entry that is idle for longer was left by its consumer. */
export const MIN_IDLE_MS = 60_000;

export interface Lease {
  readonly token: string;
  readonly rowId: string;
  readonly run: number;
  readonly live: boolean;
}

/**
 * What one group has in Redis, with times only as precise as they matter: the model's state, and what is read
 * to compare it with.
 */
export interface State {
  unread: string[];
  pending: Record<string, { owner: string; idle: boolean }>;
  /** What was handed back is due too, and comes first. */
  retries: Record<string, 'due' | 'later' | 'handed back'>;
  /** By lease ID. */
  leases: Record<string, Lease>;
  attempts: Record<string, { used: number; mark: string }>;
  ledger: Record<string, 'in window' | 'past'>;
  /** By the dead letter's ID. */
  letters: Record<string, { rowId: string; attempts: number }>;
}

export const emptyState = (): State => ({
  unread: [],
  pending: {},
  retries: {},
  leases: {},
  attempts: {},
  ledger: {},
  letters: {},
});

/** Under Jest `structuredClone` returns objects of another realm, which would not compare as equal. */
export const copyOf = (state: State): State => JSON.parse(JSON.stringify(state)) as State;

/** Reads everything at once, because each step of each run needs it. */
const READ = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local group = redis.call('XINFO', 'GROUPS', KEYS[1])[1]
local last = '0-0'
for i = 1, #group, 2 do if group[i] == 'last-delivered-id' then last = group[i + 1] end end
local unread, pending, retries, ledger = {}, {}, {}, {}
for _, row in ipairs(redis.call('XRANGE', KEYS[1], '(' .. last, '+')) do unread[#unread + 1] = row[1] end
for _, row in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000)) do
  pending[#pending + 1] = { row[1], row[2], row[3] > tonumber(ARGV[2]) and 1 or 0 }
end
local rows = redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES')
for i = 1, #rows, 2 do 
  local score = tonumber(rows[i + 1])
  retries[#retries + 1] = { rows[i], score < 0 and 'handed back' or score <= now and 'due' or 'later' }
end
rows = redis.call('ZRANGE', KEYS[5], 0, -1, 'WITHSCORES')
for i = 1, #rows, 2 do ledger[#ledger + 1] = { rows[i], tonumber(rows[i + 1]) > now - ARGV[3] and 1 or 0 } end
local letters = redis.call('XRANGE', KEYS[6], '-', '+')
return cjson.encode({
  now, unread, pending, redis.call('HGETALL', KEYS[2]), retries, redis.call('HGETALL', KEYS[4]), ledger, letters
})
`;

type Rows<Row> = Row[] | Record<string, never>;
type Answer = [
  now: number,
  unread: Rows<string>,
  pending: Rows<[string, string, number]>,
  leases: Rows<string>,
  retries: Rows<[string, 'due' | 'later' | 'handed back']>,
  attempts: Rows<string>,
  ledger: Rows<[string, number]>,
  letters: Rows<[string, string[]]>,
];

/** @param messageIds all existing ones: of packed ones only digests are known */
export async function readState(
  client: Redis,
  { stream, leases, retries, attempts, ledger, packedLedger, deadLetters }: StreamKeys,
  group: string,
  messageIds: Iterable<string>,
): Promise<State> {
  const keys = [stream, leases, retries, attempts, ledger, deadLetters];
  const reply = await client.eval(READ, keys.length, ...keys, group, MIN_IDLE_MS, LONG_MS);
  const [now, ...rows] = JSON.parse(String(reply)) as Answer;
  const byDigest = new Map([...messageIds].map((id) => [packedDigest(id), id]));
  const packed = (await packedRecords(client, { packedLedger })).map(
    ({ digest, at }) => [byDigest.get(digest) ?? digest, at > now - LONG_MS ? 1 : 0] as const,
  );
  return {
    unread: list(rows[0]),
    pending: record(list(rows[1]), ([id, owner, idle]) => [id, { owner, idle: idle === 1 }]),
    leases: record(pairs(rows[2]), ([id, row]) => [id, asLease(row, now)]),
    retries: record(list(rows[3]), ([id, when]) => [id, when]),
    attempts: record(pairs(rows[4]), ([id, row]) => [id, asAttempts(row)]),
    // A message ID in both parts is in the window if it is in the window in one of them.
    ledger: record(
      [...list(rows[5]), ...packed].sort(([, a], [, b]) => a - b),
      ([id, within]) => [id, within === 1 ? 'in window' : 'past'],
    ),
    letters: record(list(rows[6]), ([id, fields]) => [id, asLetter(fields)]),
  };
}

// An empty Lua table is an empty object in JSON.
const list = <Row>(rows: Rows<Row>): Row[] => (Array.isArray(rows) ? rows : []);

const pairs = (rows: Rows<string>): (readonly [string, string])[] => {
  const flat = list(rows);
  return flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? '']] : []));
};

const record = <Row, Value>(
  rows: readonly Row[],
  of: (row: Row) => readonly [string, Value],
): Record<string, Value> => Object.fromEntries(rows.map(of));

function asLease(row: string, now: number): Lease {
  const [token = '', rowId = '', run, till] = row.split(' ');
  return { token, rowId, run: Number(run), live: Number(till) > now };
}

function asAttempts(row: string): { used: number; mark: string } {
  const [, used, mark = ''] = /^(\d+)(\w?)$/.exec(row) ?? [];
  return { used: Number(used), mark };
}

function asLetter(fields: readonly string[]): { rowId: string; attempts: number } {
  const value = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
  return {
    rowId: value('dead-letter-entry-id'),
    attempts: Number(value('dead-letter-attempts')),
  };
}
