import type { ServerFacts } from './server-facts.js';
import * as text from './server-facts.messages.js';

/** The oldest version of each that has what is needed. */
const OLDEST: Record<ServerFacts['product'], string> = { Redis: '6.2', Valkey: '7.2' };

/** What there is to say of a server, by how much it matters. */
export interface ServerVerdict {
  /** Why this package cannot work with it, ever. */
  readonly unfit: string | undefined;
  readonly isReplica: boolean;
  readonly warning: string | undefined;
  readonly is: string | undefined;
  readonly notKnown: string | undefined;
}

export function verdictOn(facts: ServerFacts): ServerVerdict {
  const { product, version, role, maxmemoryPolicy, missingCommands } = facts;
  const least = OLDEST[product];
  const isOld = version !== undefined && isBelow(version, least);
  const isMissing = missingCommands !== undefined && missingCommands.length > 0;
  const mayEvict = maxmemoryPolicy !== undefined && maxmemoryPolicy !== 'noeviction';
  const notKnown = Object.entries({
    version,
    role,
    'maxmemory-policy': maxmemoryPolicy,
    commands: missingCommands,
  }).flatMap(([name, fact]) => (fact === undefined ? [name] : []));
  let unfit: string | undefined;
  if (isMissing) unfit = text.commandsMissing(missingCommands);
  // It says why commands are missing, too.
  if (isOld) unfit = text.tooOld(product, version, least);
  return {
    unfit,
    isReplica: role === 'replica',
    warning: mayEvict ? text.mayEvict(maxmemoryPolicy) : undefined,
    is: version === undefined ? undefined : text.serverIs(product, version),
    notKnown: notKnown.length === 0 ? undefined : text.notKnown(notKnown),
  };
}

/** Whether `version` is below `least`, by its first two numbers; what is no version is not. */
function isBelow(version: string, least: string): boolean {
  const [major = NaN, minor = NaN] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = least.split('.').map(Number);
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}
