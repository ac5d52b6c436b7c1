import type { Redis } from 'ioredis';
import { compareEntryIds, publishedAtMs } from '../../wire/ids.js';
import { readStream, type StreamInfo } from '../../redis/read/xinfo.js';
import {
  previewTrimScript,
  type TrimPreview,
} from '../../redis/scripts/admin/preview-trim.script.js';
import { streamKey } from '../../wire/stream-keys.js';
import { spanText } from '../output/text.js';
import type { GroupRow } from '../reading/group-rows.js';
import type { DoctorLimits, Finding } from './finding.js';

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
      todo: 'Publish to it, which extends its life, or remove ttlMs from the options; PERSIST keeps it until the next message.',
    },
  ];
}

/** The oldest entry of a stream that some group has not finished, if there is one. */
async function oldestUnfinished(client: Redis, key: string): Promise<TrimPreview['held']> {
  const { held } = await previewTrimScript.run(client, [key], ['', '', 1, '', 0]);
  return held;
}
