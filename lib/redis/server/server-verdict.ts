import type { ServerFacts } from './server-facts.js';

/** The oldest versions that have everything this package needs. */
const OLDEST: Record<ServerFacts['product'], string> = { Redis: '6.2', Valkey: '7.2' };

/** What to tell users about a server, as texts for the log. */
export interface ServerVerdict {
  /** Why this package can never work with it. */
  readonly unfit: string | undefined;
  readonly isReplica: boolean;
  readonly warning: string | undefined;
  /** Product and version. */
  readonly is: string | undefined;
  readonly notKnown: string | undefined;
}

export const IS_REPLICA =
  'Redis is a replica: nothing can be written to it. Waiting until it is a primary';

export const IS_PRIMARY_NOW = 'Redis is a primary now';

export function verdictOn(facts: ServerFacts): ServerVerdict {
  const { product, version, role, maxmemoryPolicy } = facts;
  return {
    unfit: unfitnessOf(facts),
    isReplica: role === 'replica',
    warning:
      maxmemoryPolicy === undefined || maxmemoryPolicy === 'noeviction'
        ? undefined
        : `maxmemory-policy of Redis is "${maxmemoryPolicy}": when its memory is full it throws away messages, ledgers and ` +
          'leases. Set it to "noeviction"',
    is: version === undefined ? undefined : `The server is ${product} ${version}`,
    notKnown: unknownFacts(facts),
  };
}

function unfitnessOf({ product, version, missingCommands = [] }: ServerFacts): string | undefined {
  const oldest = OLDEST[product];
  // An old version also explains why commands are missing.
  if (version !== undefined && isBelow(version, oldest)) {
    return `${product} ${version} is too old: ${product} ${oldest} or newer is needed`;
  }
  if (missingCommands.length === 0) return undefined;
  return `Redis has not all commands that are needed: ${missingCommands.join(', ')}`;
}

function unknownFacts(facts: ServerFacts): string | undefined {
  const unknown = Object.entries({
    version: facts.version,
    role: facts.role,
    'maxmemory-policy': facts.maxmemoryPolicy,
    commands: facts.missingCommands,
  }).flatMap(([name, fact]) => (fact === undefined ? [name] : []));
  if (unknown.length === 0) return undefined;
  return `Not known of Redis, since this user may not ask: ${unknown.join(', ')}`;
}

/** Compares the first two numbers of versions. A text that is no version is not below any. */
function isBelow(version: string, oldest: string): boolean {
  const [major = NaN, minor = NaN] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split('.').map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}
