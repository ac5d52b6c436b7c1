import { streamKey } from '../../wire/stream-keys.js';
import { readGroups } from '../../redis/read/group-info.js';
import { livingOf } from '../../redis/read/group-members.js';
import { redisTimeMs } from '../../redis/server/redis-time.js';
import { askServerFacts } from '../../redis/server/server-facts.js';
import { verdictOn } from '../../redis/server/server-facts.verdict.js';
import { openBar } from '../output/bar.js';
import { isNotAllowed } from '../../redis/server/redis-errors.js';
import { groupRows } from '../reading/group-rows.js';
import { membersOf } from '../reading/members-of.js';
import type { Session } from '../session.js';
import * as text from './doctor.messages.js';
import type { DoctorLimits, Finding } from './finding.js';
import { checkGroup } from './groups.check.js';
import { checkPartitions } from './partitions.check.js';
import { checkRetention } from './retention.check.js';
import { checkRights } from './rights.check.js';
import { checkServer } from './server.check.js';

/** What a look at everything gave. */
export interface Examination {
  readonly server: string;
  readonly streams: number;
  readonly groups: number;
  readonly findings: readonly Finding[];
  /** The members that say that they are alive, each once, whatever streams of its group it reads. */
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

/** For how many groups rights are tried: they are most often the same for all. */
const TRIED = 20;
/** Where groups may not be asked for. */
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
    notKnown.push(text.RETENTION_UNKNOWN);
  }

  const refused = await checkRights(client, prefix, await groupsToTry(session, streams));
  if (refused === undefined) notKnown.push(text.RIGHTS_UNKNOWN);
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
          for (const { consumer, version } of livingOf(members)) {
            alive.set(JSON.stringify([group, consumer]), { group, consumer, version });
          }
        }
        findings.push(...(await checkRetention(client, prefix, stream, rows, limits, now)));
      } catch (error) {
        if (!isNotAllowed(error)) throw error;
        notKnown.push(text.notLookedInto(stream));
      }
      bar.to(at + 1);
    }
  } finally {
    bar.end();
  }
  return {
    server: verdict.is ?? text.UNKNOWN_SERVER,
    streams: streams.length,
    groups,
    findings,
    members: [...alive.keys()].sort().flatMap((key) => alive.get(key) ?? []),
    notKnown,
  };
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
