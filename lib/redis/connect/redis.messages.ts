export const connected = (role: string): string => `Connected to Redis (${role})`;

export const unreachable = (role: string, why: string | undefined): string =>
  `Redis cannot be reached (${role})${why === undefined ? '' : `: ${why}`}. Trying again until it can`;

export const ended = (role: string, why: string | undefined): string =>
  `The connection to Redis has ended (${role})${why === undefined ? '' : `: ${why}`}. It is not made again`;

export const unknownPrimary = (sentinel: string, name: string): string =>
  `sentinel ${sentinel} knows no primary "${name}"`;

export const silent = (ms: number): string => `no answer within ${ms} ms`;

export const noCredentials = (why: string): string => `no credentials: ${why}`;

export const notWithin = (ms: number): string => `credentials() took longer than ${ms} ms`;

export const NO_PASSWORD = 'credentials() gave no { password }';

export const CLOSED = 'Connection is closed.';

export const missingCommands = (commands: readonly string[]): string =>
  `NOPERM this user has no right to ${commands.join(', ')} (docs/security.md lists what is needed)`;

export const missingKeys = (keys: readonly string[]): string =>
  `NOPERM this user has no right to the key ${keys.join(', ')} (docs/security.md lists what is needed)`;

export const slotWithoutNode = (slot: number): string => `no node of the cluster has slot ${slot}`;
