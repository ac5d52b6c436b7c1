import type { Command } from 'commander';
import { visible } from '../../errors/thrown.js';
import { livingMembers } from '../../redis/read/own-records.js';
import { readGroups } from '../../redis/read/xinfo.js';
import { redisTimeMs } from '../../redis/server/clocks.js';
import { isNotAllowed } from '../../redis/server/redis-errors.js';
import {
  askServerFacts,
  IS_REPLICA,
  type ServerFacts,
  verdictOn,
} from '../../redis/server/server-facts.js';
import { streamKey } from '../../wire/stream-keys.js';
import { EXIT } from '../cli.error.js';
import type { DoctorLimits, Finding } from '../doctor/finding.js';
import { checkGroup, checkPartitions, checkRetention } from '../doctor/groups.check.js';
import { checkRights } from '../doctor/rights.check.js';
import { openBar } from '../output/terminal.js';
import { counted, wrapped } from '../output/text.js';
import { groupRows, membersOf } from '../reading/group-rows.js';
import { streamsOf } from '../reading/streams.js';
import { Session } from '../session.js';

/** The result of all checks. */
export interface Examination {
  readonly server: string;
  readonly streams: number;
  readonly groups: number;
  readonly findings: readonly Finding[];
  /** The members that report that they are alive, each once, however many streams it reads. */
  readonly members: readonly LivingMember[];
  /** What could not be found out. */
  readonly notKnown: readonly string[];
}

/** A member of a group that is alive. */
export interface LivingMember {
  readonly group: string;
  readonly consumer: string;
  readonly version: string | undefined;
}

/** For how many groups rights are tried: usually all groups have the same. */
const TRIED = 20;
/** The group to try if this user may not list groups. */
const ANY_GROUP = 'doctor';

/** Runs all checks. */
export async function examine(
  session: Session,
  streams: readonly string[],
  limits: DoctorLimits,
): Promise<Examination> {
  const { client, prefix } = session;
  const facts = await askServerFacts(client);
  const verdict = verdictOn(facts);
  const findings = checkServer(facts);
  const notKnown = verdict.notKnown === undefined ? [] : [verdict.notKnown];
  if (limits.maxAge === undefined && limits.maxLength === undefined) {
    notKnown.push(
      'how close unread entries are to being trimmed (pass your retention with --max-age or --max-length)',
    );
  }

  const refused = await checkRights(client, prefix, await groupsToTry(session, streams));
  if (refused === undefined) notKnown.push('rights of this user (it may not run MULTI)');
  else findings.push(...refused);

  const now = await redisTimeMs(client);
  let groups = 0;
  const alive = new Map<string, LivingMember>();
  const bar = await openBar('Looking', streams.length);
  try {
    for (const [at, stream] of streams.entries()) {
      try {
        const all = await groupRows(session, [stream]);
        const rows = all.filter(({ group }) => group !== undefined);
        findings.push(...(await checkPartitions(client, prefix, stream, all)));
        groups += rows.length;
        for (const row of rows) {
          const { group = '' } = row;
          const members = await membersOf(client, prefix, stream, group);
          findings.push(...(await checkGroup(client, prefix, row, members, limits)));
          for (const { consumer, version } of livingMembers(members)) {
            alive.set(JSON.stringify([group, consumer]), { group, consumer, version });
          }
        }
        findings.push(...(await checkRetention(client, prefix, stream, rows, limits, now)));
      } catch (error) {
        if (!isNotAllowed(error)) throw error;
        notKnown.push(`stream "${stream}" (this user may not read it)`);
      }
      bar.to(at + 1);
    }
  } finally {
    bar.end();
  }
  return {
    server: verdict.is ?? 'A server that does not report its version',
    streams: streams.length,
    groups,
    findings,
    members: [...alive.keys()].sort().flatMap((key) => alive.get(key) ?? []),
    notKnown,
  };
}

/** Checks the server's version, role and settings. */
function checkServer(facts: ServerFacts): Finding[] {
  const { unfit, isReplica, warning } = verdictOn(facts);
  const findings: Finding[] = [];
  if (unfit !== undefined) {
    const todo = 'Use Redis 6.2 or newer, or Valkey 7.2 or newer, with all of its commands.';
    findings.push({ level: 'error', check: 'server', what: unfit, todo });
  }
  if (isReplica) {
    const todo = 'Connect to the primary, or wait for the failover to end.';
    findings.push({ level: 'error', check: 'replica', what: IS_REPLICA, todo });
  }
  if (warning !== undefined) {
    const todo =
      'CONFIG SET maxmemory-policy noeviction, and in redis.conf; give Redis enough memory, and trim streams by retention.';
    findings.push({ level: 'error', check: 'eviction', what: warning, todo });
  }
  return findings;
}

async function groupsToTry(
  { client, prefix }: Session,
  streams: readonly string[],
): Promise<{ stream: string; group: string }[]> {
  const groups = await Promise.all(
    streams.slice(0, TRIED).map(async (stream) => {
      const found = await readGroups(client, streamKey(prefix, stream)).catch((error: unknown) => {
        if (!isNotAllowed(error)) throw error;
        return [{ name: ANY_GROUP }];
      });
      return found.map(({ name }) => ({ stream, group: name }));
    }),
  );
  return groups.flat().slice(0, TRIED);
}

export const doctor = (named: string[], limits: DoctorLimits, command: Command): Promise<void> =>
  Session.with(command, async (session) => {
    const streams = await streamsOf(session, named);
    const examination = await examine(session, streams, limits);
    session.answer(examination, () => examinationText(examination, session.width));
    if (examination.findings.length > 0) process.exitCode = EXIT.found;
  });

function examinationText(examination: Examination, width: number): string {
  const { server, streams, groups, findings, members, notKnown } = examination;
  const looked = `${server}; looked at ${counted(streams, 'stream')} and ${counted(groups, 'group')}.`;
  const summary = [
    looked,
    ...(members.length === 0 ? [] : [membersText(members)]),
    ...(notKnown.length === 0 ? [] : [`Not known: ${notKnown.join('; ')}.`]),
  ];
  return [
    ...summary.map((text) => wrapped(visible(text), width)),
    '',
    ...findings.map((finding) => `${findingText(finding, width)}\n`),
    findings.length === 0 ? 'Nothing found.' : `${counted(findings.length, 'finding')}.`,
  ].join('\n');
}

/** The living members of each group, counted by version. */
function membersText(members: readonly LivingMember[]): string {
  const groups = new Map<string, Map<string, number>>();
  for (const { group, version = 'unknown' } of members) {
    const counts = groups.get(group) ?? new Map<string, number>();
    groups.set(group, counts.set(version, (counts.get(version) ?? 0) + 1));
  }
  const each = [...groups].map(([group, counts]) => {
    const versions = [...counts].map(([version, count]) => `${count} of version ${version}`);
    return `"${group}" ${versions.join(' and ')}`;
  });
  return `Members alive: ${each.join('; ')}.`;
}

function findingText({ level, check, stream, group, what, todo }: Finding, width: number): string {
  const about = [stream, group].filter((name) => name !== undefined).join(' / ');
  return [
    visible(`${level.toUpperCase()} ${check}${about === '' ? '' : `: ${about}`}`),
    wrapped(visible(what), width, '  '),
    wrapped(`→ ${visible(todo)}`, width, '  '),
  ].join('\n');
}
