import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { nameMissingRight } from '../server/missing-rights.js';

/** What a script takes as an argument. Numbers arrive as text. */
export type ScriptArgument = string | number | Buffer;

/**
 * A Lua script and how its reply is read. It is sent by its digest, and whole the first time and where Redis does not
 * know it any more. Each script can be sent twice: that is what lets the client library resend it.
 */
export class Script<Reply> {
  /** By what Redis knows it. */
  readonly sha: string;
  private readonly sentWhole = new WeakSet<Redis>();

  constructor(
    private readonly lua: string,
    /** Reads what Redis replied. */
    readonly parse: (reply: unknown) => Reply,
  ) {
    this.sha = createHash('sha1').update(lua).digest('hex');
  }

  async run(
    client: Redis,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<Reply> {
    try {
      return this.parse(await this.send(client, keys, args));
    } catch (error) {
      await nameMissingRight(client, this.lua, keys, error);
      throw error;
    }
  }

  /**
   * Sends it in one form only. Where Redis does not know the digest, that is an error ({@link isNoScript}): for callers
   * whose scripts have to arrive in order.
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
      await nameMissingRight(client, this.lua, keys, error);
      throw error;
    }
  }

  private async send(
    client: Redis,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    // Sent by digest first, it would be overtaken by the next one, which Redis knows by then.
    if (!this.sentWhole.has(client)) {
      this.sentWhole.add(client);
      return client.callBuffer('EVAL', this.lua, keys.length, ...keys, ...args);
    }
    try {
      return await client.callBuffer('EVALSHA', this.sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!isNoScript(error)) throw error;
      return client.callBuffer('EVAL', this.lua, keys.length, ...keys, ...args);
    }
  }
}

/** Redis does not know the script's digest: it has not run. */
export const isNoScript = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('NOSCRIPT');
