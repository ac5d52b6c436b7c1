import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** What a script takes as an argument. Numbers arrive as text. */
export type ScriptArgument = string | number | Buffer;

/**
 * A Lua script and how its reply is read. It is sent by its digest, and whole where Redis does not know it (any
 * more). Each script can be sent twice: that is what lets the client library resend it.
 */
export class Script<Reply> {
  /** By what Redis knows it. */
  readonly sha: string;

  constructor(
    private readonly lua: string,
    private readonly parse: (reply: unknown) => Reply,
  ) {
    this.sha = createHash('sha1').update(lua).digest('hex');
  }

  async run(
    client: Redis,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<Reply> {
    return this.parse(await this.send(client, keys, args));
  }

  private async send(
    client: Redis,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    try {
      return await client.callBuffer('EVALSHA', this.sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!isNoScript(error)) throw error;
      return client.callBuffer('EVAL', this.lua, keys.length, ...keys, ...args);
    }
  }
}

const isNoScript = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('NOSCRIPT');
