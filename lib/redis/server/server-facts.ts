import type { Redis } from 'ioredis';
import { NEEDED_COMMANDS } from './needed-commands.js';
import { isRedisReply } from './redis-errors.js';

/** What a server says of itself. What its user may not ask is `undefined`. */
export interface ServerFacts {
  readonly product: 'Redis' | 'Valkey';
  readonly version: string | undefined;
  readonly role: 'primary' | 'replica' | undefined;
  /** What it does when its memory is full. */
  readonly maxmemoryPolicy: string | undefined;
  /** Of the commands that are needed here, those that it has not. */
  readonly missingCommands: readonly string[] | undefined;
}

/**
 * Asks a server what it is. `INFO` says most; where the user may not ask it, other commands may.
 *
 * @throws where the connection broke; a question that is refused is no error
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

type Told = Omit<ServerFacts, 'missingCommands'>;

/** `INFO`: lines of `name:value`. */
export function parseInfo(reply: unknown): Told {
  const text = typeof reply === 'string' ? reply : '';
  const line = (name: string): string | undefined =>
    new RegExp(`^${name}:(\\S+)`, 'm').exec(text)?.[1];
  // Valkey has `redis_version` too, for programs that know no other: it stays at 7.2.4.
  const valkey = line('valkey_version');
  return {
    product: valkey === undefined ? 'Redis' : 'Valkey',
    version: valkey ?? line('redis_version'),
    role: roleOf(line('role')),
    maxmemoryPolicy: line('maxmemory_policy'),
  };
}

/** `HELLO`: `server`, `version`, `role` and others, as a flat list or as an object. */
export function parseHello(reply: unknown): Pick<Told, 'product' | 'version' | 'role'> {
  const said = pairsOf(reply);
  return {
    product: said.get('server') === 'valkey' ? 'Valkey' : 'Redis',
    version: textOf(said.get('version')),
    role: roleOf(said.get('role')),
  };
}

/** `ROLE`: a list that begins with the role. */
export function parseRole(reply: unknown): Told['role'] {
  return Array.isArray(reply) ? roleOf(reply[0]) : undefined;
}

/** `COMMAND INFO`: a row for each name, and none for a command that is not there. */
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

const ROLES = new Map<unknown, NonNullable<Told['role']>>([
  ['master', 'primary'],
  ['primary', 'primary'],
  ['slave', 'replica'],
  ['replica', 'replica'],
]);

const roleOf = (word: unknown): Told['role'] => ROLES.get(word);
