import type { Redis, RedisOptions } from 'ioredis';
import { UnexpectedReplyError } from '../../errors/redis.errors.js';
import {
  cutText,
  isA,
  isError,
  itemsOf,
  propertyOf,
  textOf,
  thrownMessage,
  thrownName,
} from '../../errors/thrown.js';

/** Redis answered with an error. Otherwise the connection failed. */
export const isRedisReply = (error: unknown): error is Error =>
  isA(error, Error) && propertyOf(error, 'name') === 'ReplyError';

/** The group or its stream no longer exists. */
export const isGroupGone = (error: unknown): boolean =>
  isRedisReply(error) && /^(NOGROUP|UNBLOCKED)/.test(error.message);

/** Before Redis 7, the error of a command in a script comes after this. */
const OLD_PREFIX = /^ERR Error running script \(call to f_[0-9a-f]+\): (?:@?\w+: ?\d+: )*-?/;

/** Errors that pass without anybody's help: Redis starts, is busy, full or read-only, or its cluster or a connection changes. */
const PASSES =
  /^(?:LOADING|BUSY|OOM|READONLY|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOSCRIPT|UNBLOCKED|NOGROUP|NOAUTH|WRONGPASS|ERR max number of clients) /;

/**
 * Redis understood what it was asked for and does not do it: the same again will be refused again, until somebody changes a key, a
 * right or the message.
 */
export const isRefusal = (error: unknown): error is Error =>
  error instanceof UnexpectedReplyError ||
  (isRedisReply(error) && !PASSES.test(error.message.replace(OLD_PREFIX, '')));

/** A value, or all of a command, is larger than Redis is set to take. */
export const isTooLarge = (error: unknown): boolean =>
  isRedisReply(error) && /Protocol error|too large|too big|exceeds maximum/i.test(error.message);

const ABOUT_STREAM =
  /\b(?:WRONGTYPE|NOPERM|CROSSSLOT|OTHERUSE)\b|non local key|The user executing the script can't|unknown command/;

/** A refusal that concerns keys, rights or the server, and so every message of the stream in the same way. */
export const isAboutStream = (error: unknown): boolean =>
  error instanceof UnexpectedReplyError || (isRefusal(error) && ABOUT_STREAM.test(error.message));

/** The key holds another type. */
export const isWrongType = (error: unknown): boolean =>
  isRedisReply(error) && error.message.startsWith('WRONGTYPE');

/** The user may not do this. */
export const isNotAllowed = (error: unknown): error is Error =>
  isRedisReply(error) && error.message.startsWith('NOPERM');

/** The cluster or its node does not serve the slot at present. The command was not executed. */
export const isClusterFault = (error: unknown): boolean =>
  isRedisReply(error) && /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|MASTERDOWN) /.test(error.message);

/** Another node serves the slot. */
export const isMoved = (error: unknown): boolean =>
  isRedisReply(error) && error.message.startsWith('MOVED ');

/**
 * Redis quotes the arguments of a command it does not know, which may hold passwords or bodies, and says in which line of a
 * script a command failed, which tells a user nothing.
 */
const INTERNALS =
  /,? with args beginning with:[^\n]*| script: [0-9a-f]{40}, on @user_script:\d+\.?/g;

/** Removes secrets from an error of ioredis, in place: everybody who waits on the connection gets the same error. */
export function hideSecrets(error: unknown): void {
  if (!isA(error, Error)) return;
  const reason = propertyOf(error, 'lastNodeError');
  if (reason !== undefined && reason !== error) hideSecrets(reason);
  const command = propertyOf(error, 'command');
  try {
    if (/^(auth|hello)$/i.test(textOf(propertyOf(command, 'name')))) {
      Object.assign(Object(command), { args: [] });
    }
    error.message = error.message.replace(INTERNALS, '');
    if (error.stack !== undefined) error.stack = error.stack.replace(INTERNALS, '');
  } catch {
    // It is frozen, or not one of ioredis: the user's own functions may throw anything.
  }
}

/**
 * Removes the arguments of the command that ioredis attached to an error, in place. They may hold bodies, or a whole script, and
 * Node prints them with an error that nobody caught.
 */
export function dropArguments(error: unknown): void {
  const command = propertyOf(error, 'command');
  if (typeof command !== 'object' || command === null) return;
  try {
    Object.assign(Object(error), { command: { name: propertyOf(command, 'name'), args: [] } });
  } catch {
    // It is frozen: the user's own connection may give anything.
  }
}

/** How much of an error's message is kept, and of how many in an `AggregateError`. */
const LONGEST = 1_000;
const MOST_ERRORS = 5;

/**
 * An error's message, cut to 1 000 bytes, without the `command` that ioredis attaches, which may hold passwords and bodies. Never
 * throws: the error may also be what a user's function threw.
 */
export function errorText(error: unknown): string {
  const message = thrownMessage(error);
  if (message === '' && isA(error, AggregateError)) {
    const { items, count } = itemsOf(propertyOf(error, 'errors'), MOST_ERRORS);
    const texts = items.map((inner) => plainText(inner));
    return [...texts, ...(count > texts.length ? [`${count - texts.length} more`] : [])].join('; ');
  }
  return plainText(error);
}

// ioredis only says "Failed to refresh slots cache"; the node's error has the reason.
const plainText = (error: unknown): string =>
  cutText(thrownMessage(propertyOf(error, 'lastNodeError') ?? error), LONGEST).replace(
    INTERNALS,
    '',
  );

/** A copy that can be kept as a `cause`: name, message and stack, without what ioredis attached. */
export function cleanCause(error: unknown): Error {
  const clean = new Error(errorText(error));
  if (isError(error)) {
    clean.name = thrownName(error);
    const stack = propertyOf(error, 'stack');
    if (typeof stack === 'string') clean.stack = stack.replace(INTERNALS, '');
  }
  return clean;
}

const IN_SCRIPT = /ACL failure in script|The user executing the script can't/;

/** Returns which commands of ARGV the user may not run. Redis 7 and Valkey can tell, Redis 6.2 cannot. */
const REFUSED_COMMANDS = `
local missing = {}
if not redis.acl_check_cmd then return false end
for _, name in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(name, '[^|]+') do words[#words + 1] = word end
  words[#words + 1] = KEYS[1]
  if not redis.acl_check_cmd(unpack(words)) then missing[#missing + 1] = name end
end
return missing
`;

/**
 * If Redis refused a script because the user lacks a right, names that right in the error: Redis itself does not in all
 * versions, and users do not know the scripts.
 */
export async function nameMissingRight(
  client: Redis,
  lua: string,
  keys: readonly string[],
  error: unknown,
): Promise<void> {
  if (!isRedisReply(error)) return;
  const { message } = error;
  try {
    if (IN_SCRIPT.test(message)) {
      const commands = commandsOf(lua);
      const reply = await client.eval(REFUSED_COMMANDS, 1, keys[0] ?? '', ...commands);
      const refused = Array.isArray(reply) && reply.length > 0 ? reply.map(String) : commands;
      error.message = noRightTo(refused);
    } else if (isAboutKeys(message)) {
      const refused = await Promise.all(keys.map((key) => isRefused(client, key)));
      error.message = noRightToKeys(keys.filter((_, index) => refused[index]));
    }
  } catch {
    // The message that Redis gave stays.
  }
}

/** The commands that a script calls, as ACL rules name them: `XACK`, `XGROUP|CREATE`. */
function commandsOf(lua: string): string[] {
  const calls = lua.matchAll(/redis\.call\('(\w+)'(?:, '([A-Z]+)')?/g);
  const names = [...calls].map(([, command = '', sub]) =>
    sub !== undefined && /^X(GROUP|INFO)$/.test(command) ? `${command}|${sub}` : command,
  );
  return [...new Set(names)];
}

const isRefused = (client: Redis, key: string): Promise<boolean> =>
  client.eval('return 1', 1, key).then(() => false, isNotAllowed);

type OnError = NonNullable<RedisOptions['reconnectOnError']>;

/**
 * Wraps ioredis's `reconnectOnError`, which sees every error of a connection: removes secrets from the error, and names the
 * keys if the user lacks a right to them.
 */
export const withKeysNamed =
  (reconnectOnError: OnError | null | undefined): OnError =>
  (error) => {
    hideSecrets(error);
    nameRefusedKeys(error);
    dropArguments(error);
    return reconnectOnError?.(error) ?? false;
  };

/** Names the command's first key; of a read, all keys. For scripts, {@link nameMissingRight} finds out which key it is. */
function nameRefusedKeys(error: Error): void {
  const { command } = error as { command?: { name: string; args: unknown[] } };
  if (command === undefined || !isAboutKeys(error.message)) return;
  const name = command.name.toUpperCase();
  if (name.startsWith('EVAL')) return;
  const args = command.args.map(String);
  const firstKey = args.findIndex((arg) => arg.toUpperCase() === 'STREAMS') + 1;
  const keys =
    name === 'XREADGROUP'
      ? args.slice(firstKey, firstKey + (args.length - firstKey) / 2)
      : args.slice(name === 'XINFO' ? 1 : 0).slice(0, 1);
  error.message = noRightToKeys(keys);
}

const isAboutKeys = (message: string): boolean =>
  /^NOPERM .*\bkeys?\b/.test(message) && !/permissions to run/.test(message);

const noRightTo = (what: readonly string[]): string =>
  `NOPERM this user has no right to ${what.join(', ')} (docs/security.md lists what is needed)`;

const noRightToKeys = (keys: readonly string[]): string =>
  noRightTo([`the key ${keys.join(', ')}`]);
