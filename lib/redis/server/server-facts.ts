import type { Redis } from 'ioredis';
import { isRedisReply } from './redis-errors.js';

const COMMANDS = `
  CLIENT EVAL EVALSHA TIME
  DEL EXISTS GET PERSIST PEXPIRE PTTL SADD SCAN SET SISMEMBER TYPE UNLINK
  HDEL HGET HGETALL HINCRBY HMGET HSCAN HSET HSETNX HVALS
  ZADD ZCARD ZCOUNT ZMSCORE ZRANGE ZRANGEBYSCORE ZREM ZREMRANGEBYRANK ZSCORE
  XACK XADD XCLAIM XDEL XGROUP XINFO XLEN XPENDING XRANGE XREAD XREADGROUP XREVRANGE XTRIM
`;

/** The commands that servers, clients and jobs of this package send, alone or in scripts. */
export const NEEDED_COMMANDS: readonly string[] = COMMANDS.trim().split(/\s+/);

/** What a server says about itself. `undefined` is what this user may not ask. */
export interface ServerFacts {
  readonly product: 'Redis' | 'Valkey';
  readonly version: string | undefined;
  readonly role: 'primary' | 'replica' | undefined;
  /** What it does if its memory is full. */
  readonly maxmemoryPolicy: string | undefined;
  /** The {@link NEEDED_COMMANDS} that it lacks. */
  readonly missingCommands: readonly string[] | undefined;
}

/**
 * Asks a server for its facts. `INFO` tells most of them; if the user may not use it, other commands can help.
 *
 * @throws if the connection broke; a refused question is no error
 */
export async function askServerFacts(client: Redis): Promise<ServerFacts> {
  const ask = (command: string, ...args: string[]): Promise<unknown> =>
    client.call(command, ...args).catch((error: unknown) => {
      if (isRedisReply(error)) return undefined;
      throw error;
    });
  const [info, commands] = await Promise.all([
    ask('INFO').then(parseInfo),
    ask('COMMAND', 'INFO', ...NEEDED_COMMANDS),
  ]);
  const [hello, role, policy] = await Promise.all([
    info.version === undefined ? ask('HELLO').then(parseHello) : undefined,
    info.role === undefined ? ask('ROLE').then(parseRole) : undefined,
    info.maxmemoryPolicy === undefined ? ask('CONFIG', 'GET', 'maxmemory-policy') : undefined,
  ]);
  return {
    product: hello?.product ?? info.product,
    version: info.version ?? hello?.version,
    role: info.role ?? role ?? hello?.role,
    maxmemoryPolicy: info.maxmemoryPolicy ?? textOf(pairsOf(policy).get('maxmemory-policy')),
    missingCommands: parseMissing(commands, NEEDED_COMMANDS),
  };
}

type InfoFacts = Omit<ServerFacts, 'missingCommands'>;

/** `INFO`: lines of `name:value`. */
export function parseInfo(reply: unknown): InfoFacts {
  const text = typeof reply === 'string' ? reply : '';
  const line = (name: string): string | undefined =>
    new RegExp(`^${name}:(\\S+)`, 'm').exec(text)?.[1];
  // Valkey also reports a `redis_version` of 7.2.4, for programs that know only Redis.
  const valkey = line('valkey_version');
  return {
    product: valkey === undefined ? 'Redis' : 'Valkey',
    version: valkey ?? line('redis_version'),
    role: roleOf(line('role')),
    maxmemoryPolicy: line('maxmemory_policy'),
  };
}

/** `HELLO`: `server`, `version`, `role` and more, as a flat list or an object. */
export function parseHello(reply: unknown): Pick<InfoFacts, 'product' | 'version' | 'role'> {
  const fields = pairsOf(reply);
  return {
    product: fields.get('server') === 'valkey' ? 'Valkey' : 'Redis',
    version: textOf(fields.get('version')),
    role: roleOf(fields.get('role')),
  };
}

/** `ROLE`: a list that begins with the role. */
export function parseRole(reply: unknown): InfoFacts['role'] {
  return Array.isArray(reply) ? roleOf(reply[0]) : undefined;
}

/** `COMMAND INFO`: a row for each name, empty if the server has no such command. */
export function parseMissing(
  reply: unknown,
  names: readonly string[],
): readonly string[] | undefined {
  if (!Array.isArray(reply) || reply.length !== names.length) return undefined;
  return names.filter((_, index) => !Array.isArray(reply[index]) || reply[index].length === 0);
}

function pairsOf(reply: unknown): Map<string, unknown> {
  if (!Array.isArray(reply)) return new Map(Object.entries(Object(reply)));
  const pairs = new Map<string, unknown>();
  for (let at = 0; at + 1 < reply.length; at += 2) pairs.set(String(reply[at]), reply[at + 1]);
  return pairs;
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

const ROLES = new Map<unknown, NonNullable<InfoFacts['role']>>([
  ['master', 'primary'],
  ['primary', 'primary'],
  ['slave', 'replica'],
  ['replica', 'replica'],
]);

const roleOf = (word: unknown): InfoFacts['role'] => ROLES.get(word);

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
