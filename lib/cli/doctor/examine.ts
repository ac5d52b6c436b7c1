import { redisTimeMs } from '../../redis/redis-time.js';
import { askServerFacts } from '../../redis/server-facts.js';
import { verdictOn } from '../../redis/server-facts.verdict.js';
import { openBar } from '../output/bar.js';
import { groupRows } from '../reading/group-rows.js';
import type { Session } from '../session.js';
import * as text from './doctor.messages.js';
import type { DoctorLimits, Finding } from './finding.js';
import { checkGroup } from './groups.check.js';
import { checkRetention } from './retention.check.js';
import { checkRights } from './rights.check.js';
import { checkServer } from './server.check.js';

/** What a look at everything gave. */
export interface Examination {
  readonly server: string;
  readonly streams: number;
  readonly groups: number;
  readonly findings: readonly Finding[];
  /** What could not be found out. */
  readonly notKnown: readonly string[];
}

/** For how many groups rights are tried: they are most often the same for all. */
const TRIED = 20;

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

  const [rows, now] = await Promise.all([groupRows(session, streams), redisTimeMs(client)]);
  const groups = rows.flatMap(({ stream, group }) =>
    group === undefined ? [] : [{ stream, group }],
  );
  const refused = await checkRights(client, prefix, groups.slice(0, TRIED));
  if (refused === undefined) notKnown.push(text.RIGHTS_UNKNOWN);
  else findings.push(...refused);

  const bar = openBar('Looking', streams.length);
  try {
    for (const [at, stream] of streams.entries()) {
      const its = rows.filter((row) => row.stream === stream && row.group !== undefined);
      for (const row of its) findings.push(...(await checkGroup(client, prefix, row, limits)));
      findings.push(...(await checkRetention(client, prefix, stream, its, limits, now)));
      bar.to(at + 1);
    }
  } finally {
    bar.end();
  }
  return {
    server: verdict.is ?? text.UNKNOWN_SERVER,
    streams: streams.length,
    groups: groups.length,
    findings,
    notKnown,
  };
}
