import { Command, type Redis } from 'ioredis';
import { isRedisReply } from '../server/redis-errors.js';
import type { Script } from './script.js';

/** What is written for it was made before: of hundreds of keys that is most of what a call costs here. */
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

/** A script without arguments that is run over and over with the same keys. */
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
      // Where Redis does not know the script, or refuses it for a reason that can be named.
      if (isRedisReply(error)) return this.script.run(client, this.keys, []);
      throw error;
    }
  }
}
