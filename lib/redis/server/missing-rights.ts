import type { Redis, RedisOptions } from 'ioredis';
import { hideSecrets, isNotAllowed, isRedisReply } from './redis-errors.js';

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
