import type { Redis } from 'ioredis';
import { streamKey } from '../../wire/stream-keys.js';
import { compareEntryIds, publishedAtMs } from '../../wire/ids.js';
import { readStream, type StreamInfo } from '../../redis/read/xinfo.js';
import type { TrimPreview } from '../../redis/scripts/admin/preview-trim.script.js';
import type { GroupRow } from '../reading/group-rows.js';
import { oldestUnfinished } from '../reading/preview-trim.js';
import * as text from './doctor.messages.js';
import type { DoctorLimits, Finding } from './finding.js';

/** Where nothing is said, more than this looks as if nobody trims. */
const USUAL = { maxAge: 7 * 86_400_000, maxLength: 1_000_000 } as const;
/** Retention runs every five minutes, and leaves what is in a node with newer entries. */
const SLACK = 1.1;
/** From here on it is near. */
const NEAR = 0.8;

/** Streams that nothing trims, and unread entries that are near to being trimmed. */
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
    ...near(stream, rows, held, limits, now),
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
  // What some group has not finished stays rightly.
  const isFinished =
    firstEntryId !== undefined &&
    (held === undefined || compareEntryIds(firstEntryId, held.entryId) < 0);
  if (!isFinished) return [];
  const { maxAge = USUAL.maxAge, maxLength = USUAL.maxLength } = limits;
  const ageMs = now - publishedAtMs(firstEntryId);
  const finding = { level: 'warning', check: 'no-retention', stream } as const;
  const todo = text.retentionTodo(stream);
  if (ageMs > maxAge * SLACK) {
    return [{ ...finding, what: text.tooOld(ageMs, maxAge, limits.maxAge !== undefined), todo }];
  }
  if (length <= maxLength * SLACK) return [];
  return [
    { ...finding, what: text.tooLong(length, maxLength, limits.maxLength !== undefined), todo },
  ];
}

function near(
  stream: string,
  rows: readonly GroupRow[],
  held: TrimPreview['held'],
  { maxAge, maxLength }: DoctorLimits,
  now: number,
): Finding[] {
  if (held === undefined) return [];
  const finding = { level: 'error', check: 'near-trimming', stream, todo: text.NEAR_TODO } as const;
  const ageMs = now - publishedAtMs(held.entryId);
  const findings: Finding[] = [];
  if (maxAge !== undefined && ageMs > maxAge * NEAR) {
    const what = text.nearAge(held.group, held.entryId, ageMs, maxAge);
    findings.push({ ...finding, group: held.group, what });
  }
  for (const { group = '', lag = 0, pending = 0 } of rows) {
    if (maxLength === undefined || lag + pending <= maxLength * NEAR) continue;
    const what = text.nearLength(group, lag + pending, maxLength);
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
      what: text.expires(group, expiresInMs),
      todo: text.EXPIRES_TODO,
    },
  ];
}
