import type { Redis } from 'ioredis';

import { type StreamKeys, streamKeys } from '../../../lib/wire/stream-keys.js';
import { pendingEntries } from '../../support/group-state.js';
import type { Run } from './journal.js';

/** What happened to a scenario's messages, by their IDs. */
export interface Counts {
  readonly published: ReadonlySet<string>;
  readonly handled: ReadonlySet<string>;
  readonly dead: readonly string[];
  readonly pending: readonly string[];
  /** Published, and neither handled nor dead nor pending. */
  readonly lost: ReadonlySet<string>;
  /** Run again although the run before did not fail. */
  readonly runTwice: ReadonlySet<string>;
  /** Anything that should not exist, in words. */
  readonly unexpected: readonly string[];
}

/** What the guarantees allow in a scenario, by message IDs; none unless given. */
export interface Bound {
  readonly lost?: ReadonlySet<string>;
  readonly runTwice?: ReadonlySet<string>;
  /** The messages that must become dead letters: all of them and no others. */
  readonly dead?: ReadonlySet<string>;
  /** Published, perhaps: Redis never said. */
  readonly perhapsPublished?: ReadonlySet<string>;
}

/** Where a scenario's messages go. */
export interface Where {
  readonly redis: Redis;
  /** The stream's names in Redis: more than one if it has partitions. */
  readonly names: readonly string[];
  readonly group: string;
}

export async function countMessages(
  where: Where,
  published: ReadonlySet<string>,
  runs: readonly Run[],
  bound: Bound,
): Promise<Counts> {
  const { redis, names, group } = where;
  const handled = new Set(
    runs.filter(({ outcome }) => outcome === 'handled').map(({ messageId }) => messageId),
  );
  const dead: string[] = [];
  const pending: string[] = [];
  const left: string[] = [];
  for (const name of names) {
    const keys = streamKeys('', name, group);
    dead.push(...(await deadLetters(redis, keys)));
    const waiting = await pendingEntries(redis, name, group).catch(() => []);
    for (const { id } of waiting) {
      pending.push(idIn((await redis.xrange(name, id, id))[0]?.[1] ?? []));
    }
    left.push(...(await leftovers(redis, keys, waiting.length)));
  }
  const somewhere = new Set([...handled, ...dead, ...pending]);
  const lost = new Set([...published].filter((id) => !somewhere.has(id)));
  return {
    published,
    handled,
    dead,
    pending,
    lost,
    runTwice: ranTwice(runs),
    unexpected: [
      ...strangers(runs, published, bound.perhapsPublished),
      ...deadAndHandled(dead, handled),
      ...left,
    ],
  };
}

/** The IDs of the messages that are dead letters. */
export async function deadLetters(redis: Redis, keys: StreamKeys): Promise<string[]> {
  return (await redis.xrange(keys.deadLetters, '-', '+')).map(([, fields]) => idIn(fields));
}

/** Messages with more than one run that did not fail. */
function ranTwice(runs: readonly Run[]): Set<string> {
  const once = new Set<string>();
  const twice = new Set<string>();
  for (const { messageId, outcome } of runs) {
    if (outcome === 'failed') continue;
    (once.has(messageId) ? twice : once).add(messageId);
  }
  return twice;
}

function strangers(
  runs: readonly Run[],
  published: ReadonlySet<string>,
  perhaps: ReadonlySet<string> = new Set(),
): string[] {
  const ids = new Set(runs.map(({ messageId }) => messageId));
  return [...ids]
    .filter((id) => !published.has(id) && !perhaps.has(id))
    .map((id) => `${id} was run, and nobody published it`);
}

function deadAndHandled(dead: readonly string[], handled: ReadonlySet<string>): string[] {
  const twice = dead.filter((id, index) => dead.indexOf(id) !== index);
  return [
    ...twice.map((id) => `${id} is a dead letter more than once`),
    ...dead.filter((id) => handled.has(id)).map((id) => `${id} was handled and is a dead letter`),
  ];
}

/** Rows about finished messages. */
async function leftovers(redis: Redis, keys: StreamKeys, pending: number): Promise<string[]> {
  if (pending > 0) return [];
  const leases = await redis.hgetall(keys.leases);
  const attempts = await redis.hgetall(keys.attempts);
  const retries = await redis.zrange(keys.retries, '0', '-1');
  return [
    ...Object.entries(leases).map(([id, row]) => `${id} has a lease that nobody needs: ${row}`),
    ...Object.keys(attempts).map((entry) => `entry ${entry} has attempts that nobody needs`),
    ...retries.map((entry) => `entry ${entry} waits in retries, and is not pending`),
  ];
}

function idIn(fields: readonly string[]): string {
  for (let at = 0; at + 1 < fields.length; at += 2) {
    if (fields[at] === 'id') return fields[at + 1] ?? '';
  }
  return 'a message without ID';
}

/** What exceeds the bound in a scenario's counts, in words; nothing if they are within it. */
export function beyond(counts: Counts, bound: Bound): string[] {
  const { lost = new Set(), runTwice = new Set(), dead = new Set() } = bound;
  const more = (what: string, ids: Iterable<string>, allowed: ReadonlySet<string>): string[] =>
    [...ids].filter((id) => !allowed.has(id)).map((id) => `${id} ${what}`);
  return [
    ...more('was lost', counts.lost, lost),
    ...more('was run twice', counts.runTwice, runTwice),
    ...more('is a dead letter', counts.dead, dead),
    ...more('is no dead letter', dead, new Set(counts.dead)),
    ...counts.unexpected,
  ];
}

/** The counts in one line. */
export function inOneLine(counts: Counts, bound: Bound): string {
  const { published, handled, dead, pending, lost, runTwice, unexpected } = counts;
  const within = (count: number, allowed: number | undefined): string =>
    allowed === undefined ? String(count) : `${count} (of ${allowed} that may be)`;
  return [
    `published ${published.size}`,
    `handled ${handled.size}`,
    `dead ${dead.length}`,
    `pending ${pending.length}`,
    `lost ${within(lost.size, bound.lost?.size)}`,
    `run twice ${within(runTwice.size, bound.runTwice?.size)}`,
    `unexpected ${unexpected.length}`,
  ].join(', ');
}
