import type { Redis } from 'ioredis';
import { livingMembers } from '../../redis/read/own-records.js';
import {
  type ConsumerInfo,
  readConsumers,
  readStream,
  type StreamInfo,
} from '../../redis/read/xinfo.js';
import {
  previewTrimScript,
  type TrimPreview,
} from '../../redis/scripts/admin/preview-trim.script.js';
import type { Member } from '../../redis/scripts/admin/members.script.js';
import { compareEntryIds, publishedAtMs } from '../../wire/ids.js';
import { InvalidRecordError } from '../../errors/redis.errors.js';
import { partitionIn } from '../../wire/partitions.js';
import { streamKey } from '../../wire/stream-keys.js';
import { spanText } from '../output/text.js';
import type { GroupRow } from '../reading/group-rows.js';
import { notedPartitions } from '../reading/streams.js';
import type { DoctorLimits, Finding } from './finding.js';

/** Twice the default of maintenance.consumerIdleMs, after which the job removes idle consumers. */
const JOB_IS_LATE_MS = 7_200_000;

const TAKE_OVER =
  'A running member takes its entries over after recovery.minIdleMs (a minute by default). If one runs and this stays, look into its log.';
const NO_JOB =
  'IdleConsumersJob removes it after maintenance.consumerIdleMs (an hour by default), but does not seem to run. Use RedisStreamsModule in the service, or run the job by hand.';
const GUESSED =
  '. This is judged by what Redis lists: no member reports whether it is alive, as other programs and older versions of this package never do';

/**
 * Finds groups without consumers, and consumers that are gone. A consumer that reports nothing may belong to another program, or
 * run an older version of this one: it is judged by its idle time.
 *
 * @param members the group's members, as they report themselves
 */
export async function checkGroup(
  client: Redis,
  prefix: string,
  { stream, group = '', lag, pending = 0 }: GroupRow,
  members: readonly Member[],
  { goneAfter }: DoctorLimits,
): Promise<Finding[]> {
  const key = streamKey(prefix, stream);
  const consumers = await readConsumers(client, key, group);
  const gone = consumers.filter(({ name, idleMs }) => {
    const member = members.find(({ consumer }) => consumer === name);
    return member === undefined ? idleMs > goneAfter : !member.isAlive;
  });
  const findings = gone.flatMap((consumer) => consumerGone(stream, group, consumer));
  if (livingMembers(members).length > 0 || gone.length < consumers.length) return findings;
  const isKnown = members.length > 0;
  const alive = consumers.length > 0 ? ' that is alive' : '';
  const ifSure = isKnown ? '' : ', and you know that nothing else reads with this group';
  return [
    {
      level: lag === 0 && pending === 0 ? 'warning' : 'error',
      check: 'no-consumers',
      stream,
      group,
      what: `Group "${group}" has no consumer${alive}; ${waiting(lag, pending)}${isKnown ? '' : GUESSED}`,
      todo: `Start its service. If it will not come back${ifSure}: XGROUP DESTROY ${key} ${group}; until then retention keeps everything that it has not finished.`,
    },
    ...findings,
  ];
}

function waiting(lag: number | undefined, pending: number): string {
  const parts: string[] = [];
  if (lag === undefined) parts.push('entries may wait unread');
  else if (lag > 0) parts.push(`${lag} entries wait unread`);
  if (pending > 0) parts.push(`${pending} are pending`);
  return parts.join(', ') || 'nothing waits for it now';
}

function consumerGone(
  stream: string,
  group: string,
  { name, idleMs, pending }: ConsumerInfo,
): Finding[] {
  if (pending === 0 && idleMs < JOB_IS_LATE_MS) return [];
  const has = pending === 0 ? '' : ` and has ${pending} pending`;
  return [
    {
      level: 'warning',
      check: 'consumer-gone',
      stream,
      group,
      what: `Consumer "${name}" has been idle for ${spanText(idleMs)}${has}`,
      todo: pending === 0 ? NO_JOB : TAKE_OVER,
    },
  ];
}

const invalidCount = (stream: string, { key, given, allowed }: InvalidRecordError): Finding => ({
  level: 'error',
  check: 'partitions',
  stream,
  what: `The key "${key}" holds ${given}, allowed: ${allowed}`,
  todo: 'Delete the key: the next server that starts writes it again. docs/security.md says who needs the right to write it.',
});

/** Finds entries that no consumer reads: outside the stream's partitions, or in a partition beyond their number. */
export async function checkPartitions(
  client: Redis,
  prefix: string,
  name: string,
  rows: readonly GroupRow[],
): Promise<Finding[]> {
  const { stream, partition } = partitionIn(name) ?? { stream: name, partition: undefined };
  if (stream.includes('{')) return [];
  const count = await notedPartitions(client, prefix, stream).catch((error: unknown) => {
    if (error instanceof InvalidRecordError) return error;
    throw error;
  });
  if (count instanceof InvalidRecordError) return [invalidCount(name, count)];
  if (count === undefined || (partition !== undefined && partition < count)) return [];
  const unread = rows.filter(({ group, length, lag, pending = 0 }) =>
    group === undefined ? length > 0 : lag !== 0 || pending > 0,
  );
  const where =
    partition === undefined
      ? 'entries outside them, which its consumers do not read'
      : `entries in number ${partition}: it had more partitions once, or somebody publishes with more`;
  const finding: Finding = {
    level: 'error',
    check: 'partitions',
    stream: name,
    what: `Stream "${stream}" has ${count} partitions, and ${where}`,
    todo: 'Set the same streams[name].partitions in all services. docs/partitions.md says how to get these entries handled.',
  };
  return unread.map(({ group }) =>
    group === undefined ? finding : Object.assign({ group }, finding),
  );
}

/** If the user passes no retention, a stream beyond these limits looks as if nothing trims it. */
const USUAL = { maxAge: 7 * 86_400_000, maxLength: 1_000_000 } as const;
/** Retention runs every five minutes, and keeps entries that share a node with newer ones. */
const SLACK = 1.1;
/** The share of the limit from which unread entries are close to it. */
const NEAR = 0.8;

const NEAR_TODO =
  'Start more members, or raise concurrency. Retention waits for them unless it is forced; maxLength at publishing and ttlMs do not.';

/** Finds streams that nothing trims, and unread entries that are close to being trimmed. */
export async function checkRetention(
  client: Redis,
  prefix: string,
  stream: string,
  rows: readonly GroupRow[],
  limits: DoctorLimits,
  now: number,
): Promise<Finding[]> {
  const key = streamKey(prefix, stream);
  const [info, held, expiresInMs] = await Promise.all([
    readStream(client, key),
    oldestUnfinished(client, key),
    client.pttl(key),
  ]);
  if (info === undefined) return [];
  return [
    ...untrimmed(stream, info, held, limits, now),
    ...nearTrimming(stream, rows, held, limits, now),
    ...expiring(stream, held, expiresInMs),
  ];
}

function untrimmed(
  stream: string,
  { firstEntryId, length }: StreamInfo,
  held: TrimPreview['held'],
  limits: DoctorLimits,
  now: number,
): Finding[] {
  // Retention keeps what some group has not finished.
  const isFinished =
    firstEntryId !== undefined &&
    (held === undefined || compareEntryIds(firstEntryId, held.entryId) < 0);
  if (!isFinished) return [];
  const { maxAge = USUAL.maxAge, maxLength = USUAL.maxLength } = limits;
  const ageMs = now - publishedAtMs(firstEntryId);
  let what: string;
  if (ageMs > maxAge * SLACK) {
    const limit =
      limits.maxAge === undefined
        ? ': nothing seems to trim it'
        : `; --max-age is ${spanText(maxAge)}`;
    what = `Its oldest entry is ${spanText(ageMs)} old and finished by all groups${limit}`;
  } else if (length > maxLength * SLACK) {
    const limit =
      limits.maxLength === undefined
        ? ', and nothing seems to trim it'
        : `; --max-length is ${maxLength}`;
    what = `It has ${length} entries${limit}`;
  } else {
    return [];
  }
  const todo = `Set streams: { '${stream}': { retention: { maxAgeMs } } } in a running service; for now: nest-streams trim ${stream} --max-age 7d --dry-run`;
  return [{ level: 'warning', check: 'no-retention', stream, what, todo }];
}

function nearTrimming(
  stream: string,
  rows: readonly GroupRow[],
  held: TrimPreview['held'],
  { maxAge, maxLength }: DoctorLimits,
  now: number,
): Finding[] {
  if (held === undefined) return [];
  const finding = { level: 'error', check: 'near-trimming', stream, todo: NEAR_TODO } as const;
  const ageMs = now - publishedAtMs(held.entryId);
  const findings: Finding[] = [];
  if (maxAge !== undefined && ageMs > maxAge * NEAR) {
    const what = `Group "${held.group}" has not finished entry ${held.entryId}, which is ${spanText(ageMs)} old; --max-age is ${spanText(maxAge)}`;
    findings.push({ ...finding, group: held.group, what });
  }
  for (const { group = '', lag = 0, pending = 0 } of rows) {
    if (maxLength === undefined || lag + pending <= maxLength * NEAR) continue;
    const what = `Group "${group}" has ${lag + pending} entries to finish; --max-length is ${maxLength}`;
    findings.push({ ...finding, group, what });
  }
  return findings;
}

function expiring(stream: string, held: TrimPreview['held'], expiresInMs: number): Finding[] {
  if (held === undefined || expiresInMs < 0) return [];
  const { group } = held;
  return [
    {
      level: 'warning',
      check: 'expires',
      stream,
      group,
      what: `It expires in ${spanText(expiresInMs)} (ttlMs), and group "${group}" has not finished it`,
      todo: 'Publish to it, or start a server that sets its ttlMs: both extend its life. Or remove ttlMs from the options; PERSIST keeps it until the next message.',
    },
  ];
}

/** The oldest entry of a stream that some group has not finished, if there is one. */
async function oldestUnfinished(client: Redis, key: string): Promise<TrimPreview['held']> {
  const { held } = await previewTrimScript.run(client, [key], ['', '', 1, '', 0]);
  return held;
}
