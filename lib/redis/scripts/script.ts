import { Command, type Redis } from 'ioredis';
import { createHash } from 'node:crypto';
import { dropArguments, isRedisReply, nameMissingRight } from '../server/redis-errors.js';

/** An argument of a script. Numbers arrive as text. */
export type ScriptArgument = string | number | Buffer;

/**
 * A Lua script, and how to read its reply. It is sent as a digest; as text the first time and whenever Redis no longer knows
 * it. Every script can be sent twice, so that ioredis may resend it after a reconnect.
 */
export class Script<Reply> {
  /** The digest by which Redis knows the script. */
  readonly sha: string;
  private readonly sentWhole = new WeakSet<Redis>();

  constructor(
    private readonly lua: string,
    /** Reads the reply. */
    readonly parse: (reply: unknown) => Reply,
  ) {
    this.sha = createHash('sha1').update(lua).digest('hex');
  }

  async run(
    client: Redis,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<Reply> {
    // If the first call used the digest, it would have to be repeated, and the next call would overtake it.
    if (!this.sentWhole.has(client)) {
      this.sentWhole.add(client);
      return this.runAs('whole', client, keys, args);
    }
    try {
      return await this.runAs('digest', client, keys, args);
    } catch (error) {
      if (!isNoScript(error)) throw error;
      return this.runAs('whole', client, keys, args);
    }
  }

  /**
   * Sends the script in one form only, for callers whose scripts must arrive in order. If Redis does not know the digest, the
   * call fails: see {@link isNoScript}.
   */
  async runAs(
    form: 'whole' | 'digest',
    client: Redis,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<Reply> {
    const [command, script] = form === 'whole' ? ['EVAL', this.lua] : ['EVALSHA', this.sha];
    try {
      return this.parse(await client.callBuffer(command, script, keys.length, ...keys, ...args));
    } catch (error) {
      dropArguments(error);
      await nameMissingRight(client, this.lua, keys, error);
      throw error;
    }
  }
}

/** What runs scripts: a connection, or a recorder in unit tests. */
export interface ScriptRunner {
  run<Reply>(
    script: Script<Reply>,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<Reply>;
}

/** Runs scripts on a connection. */
export const scriptsOf = (client: Redis): ScriptRunner => ({
  run: (script, keys, args) => script.run(client, keys, args),
});

/** Lua: `now`, Redis's time in ms. `time` has the seconds and the microseconds. */
export const NOW = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/** Lua: `now` as text. Lua itself would write such a number in exponential form. */
export const NOW_TEXT = `local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))`;

/** Lua: `infoOf` makes a table of a row of `XINFO`, which lists names and values. */
export const INFO_OF = `
local function infoOf(row)
  local info = {}
  for i = 1, #row, 2 do info[row[i]] = row[i + 1] end
  return info
end
`;

/**
 * Lua: lets the rest of the script write even if Redis has reached `maxmemory`. Goes before the first write of every script
 * that settles, claims, hands over or cleans up, and never into one that publishes: what waits is handled when Redis is full,
 * and only new messages are refused.
 *
 * Redis refuses a command that may need memory only until a script has called a command that writes. One that only removes is
 * never refused, and counts even if it finds nothing to remove: no field has an empty name. The same holds for Redis 6.2, 7, 8
 * and Valkey; the flag `allow-oom` does not exist before Redis 7. It is `pcall`, since this must never fail a script.
 *
 * @param hash Lua: the key of a HASH that the script may write
 */
export const evenIfFull = (hash: string): string => `redis.pcall('HDEL', ${hash}, '')`;

/** The same for a script without a HASH. No entry has the ID 0-0. @param stream Lua: the key of a stream */
export const evenIfFullBy = (stream: string): string => `redis.pcall('XDEL', ${stream}, '0-0')`;

/** Redis does not know the script's digest. The script did not run. */
export const isNoScript = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('NOSCRIPT');

/** A command that was serialized in advance. With hundreds of keys, serializing is most of the cost of a call. */
class WrittenCommand extends Command {
  constructor(
    sha: string,
    private readonly written: Buffer,
  ) {
    super('EVALSHA', [sha], { replyEncoding: null });
  }

  override toWritable(): Buffer {
    return this.written;
  }
}

/** A script without arguments that is called repeatedly with the same keys. */
export class RepeatedCall<Reply> {
  private readonly written: Buffer;

  constructor(
    private readonly script: Script<Reply>,
    private readonly keys: readonly string[],
  ) {
    const whole = new Command('EVALSHA', [script.sha, String(keys.length), ...keys]);
    this.written = Buffer.from(whole.toWritable(this));
  }

  async run(client: Redis): Promise<Reply> {
    // A cluster finds the node by a command's keys.
    if (client.isCluster) return this.script.run(client, this.keys, []);
    try {
      const command = new WrittenCommand(this.script.sha, this.written);
      return this.script.parse(await client.sendCommand(command));
    } catch (error) {
      // Redis may not know the script yet. If it refused the call for another reason, this names it.
      if (isRedisReply(error)) return this.script.run(client, this.keys, []);
      throw error;
    }
  }
}
