import type { ServerFacts } from '../../redis/server/server-facts.js';
import { IS_REPLICA, verdictOn } from '../../redis/server/server-verdict.js';
import * as text from './doctor.messages.js';
import type { Finding } from './finding.js';

/** The server's version, role and settings. */
export function checkServer(facts: ServerFacts): Finding[] {
  const { unfit, isReplica, warning } = verdictOn(facts);
  const findings: Finding[] = [];
  if (unfit !== undefined) {
    findings.push({ level: 'error', check: 'server', what: unfit, todo: text.SERVER_TODO });
  }
  if (isReplica) {
    findings.push({ level: 'error', check: 'replica', what: IS_REPLICA, todo: text.REPLICA_TODO });
  }
  if (warning !== undefined) {
    findings.push({ level: 'error', check: 'eviction', what: warning, todo: text.EVICTION_TODO });
  }
  return findings;
}
