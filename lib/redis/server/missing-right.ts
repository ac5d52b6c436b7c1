import type { Redis, RedisOptions } from 'ioredis';
import { hideSecrets, isNotAllowed, isRedisReply } from './redis-errors.js';
import * as text from '../connect/redis.messages.js';

const inScript = /ACL failure in script|The user executing the script can't/;

/** Which of ARGV the user may not run. Redis 7 and Valkey can say so, 6.2 cannot. */
const WHICH = `
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

/** What a script calls, as ACL rules have it: `XACK`, `XGROUP|CREATE`. */
function commandsOf(lua: string): string[] {
  const calls = lua.matchAll(/redis\.call\('(\w+)'(?:, '([A-Z]+)')?/g);
  const names = [...calls].map(([, command = '', sub]) =>
    sub !== undefined && /^X(GROUP|INFO)$/.test(command) ? `${command}|${sub}` : command,
  );
  return [...new Set(names)];
}

/**
 * Where Redis refused a script for want of a right, finds out which one, and says it in the error: Redis does not in every
 * version, and its users see no script.
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
    if (inScript.test(message)) {
      const commands = commandsOf(lua);
      const which = await client.eval(WHICH, 1, keys[0] ?? '', ...commands);
      const missing = Array.isArray(which) && which.length > 0 ? which : commands;
      error.message = text.missingCommands(missing.map(String));
    } else if (isAboutKeys(message)) {
      const refused = await Promise.all(keys.map((key) => isRefused(client, key)));
      error.message = text.missingKeys(keys.filter((_, index) => refused[index]));
    }
  } catch {
    // What Redis said of it stands.
  }
}

/** The same for a command that is sent by itself. Its first key is named, of a read all of them. */
function nameRefusedKeys(error: Error): void {
  const { command } = error as { command?: { name: string; args: unknown[] } };
  if (command === undefined || !isAboutKeys(error.message)) return;
  const name = command.name.toUpperCase();
  // Those that answer for scripts ask which of their keys it is.
  if (name.startsWith('EVAL')) return;
  const args = command.args.map(String);
  const at = args.findIndex((arg) => arg.toUpperCase() === 'STREAMS') + 1;
  const keys =
    name === 'XREADGROUP'
      ? args.slice(at, at + (args.length - at) / 2)
      : args.slice(name === 'XINFO' ? 1 : 0).slice(0, 1);
  error.message = text.missingKeys(keys);
}

const isAboutKeys = (message: string): boolean =>
  /^NOPERM .*\bkeys?\b/.test(message) && !/permissions to run/.test(message);

const isRefused = (client: Redis, key: string): Promise<boolean> =>
  client.eval('return 1', 1, key).then(() => false, isNotAllowed);

type OnError = NonNullable<RedisOptions['reconnectOnError']>;

/** Where a connection is asked whether an error ends it, every error comes by. */
export const namingKeys =
  (reconnectOnError: OnError | null | undefined): OnError =>
  (error) => {
    hideSecrets(error);
    nameRefusedKeys(error);
    return reconnectOnError?.(error) ?? false;
  };
