export const serverIs = (product: string, version: string): string =>
  `The server is ${product} ${version}`;

export const tooOld = (product: string, version: string, least: string): string =>
  `${product} ${version} is too old: ${product} ${least} or newer is needed`;

export const commandsMissing = (commands: readonly string[]): string =>
  `Redis has not all commands that are needed: ${commands.join(', ')}`;

export const mayEvict = (policy: string): string =>
  `maxmemory-policy of Redis is "${policy}": when its memory is full it throws away messages, ledgers and leases. ` +
  'Set it to "noeviction"';

export const IS_REPLICA =
  'Redis is a replica: nothing can be written to it. Waiting until it is a primary';

export const IS_PRIMARY_NOW = 'Redis is a primary now';

export const notKnown = (facts: readonly string[]): string =>
  `Not known of Redis, since this user may not ask: ${facts.join(', ')}`;

export const NO_MASTER = 'no master of the cluster is known';
