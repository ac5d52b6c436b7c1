import type { Redis } from 'ioredis';
import { isRedisReply } from '../redis/server/redis-errors.js';
import { leaveRequestsScript } from '../redis/scripts/publish/leave-requests.script.js';

const MOST_AT_ONCE = 1_000;

/** The requests of one client that nobody waits for any more, until Redis knows: they are not started, and their handlers may stop. */
export class LeftRequests {
  private ids: string[] = [];
  private has = false;
  private isSoonSent = false;

  /** @param lastsMs for how long Redis keeps them: a request may wait in its stream for so long */
  constructor(
    private readonly client: Redis,
    private readonly key: string,
    private readonly lastsMs: number,
  ) {}

  /** Whether there was any. */
  get hasAny(): boolean {
    return this.has;
  }

  /** Those of the same turn are sent together. */
  add(id: string): void {
    this.has = true;
    this.ids.push(id);
    if (this.isSoonSent) return;
    this.isSoonSent = true;
    setImmediate(() => {
      this.isSoonSent = false;
      this.send();
    });
  }

  /** What cannot be sent, for lack of a connection, is sent when this is called again. */
  send(): void {
    const { client, key, lastsMs } = this;
    if (client.status !== 'ready') return;
    const ids = this.ids;
    this.ids = [];
    for (let at = 0; at < ids.length; at += MOST_AT_ONCE) {
      const some = ids.slice(at, at + MOST_AT_ONCE);
      leaveRequestsScript.run(client, [key], [lastsMs, ...some]).catch((error: unknown) => {
        // If Redis refuses it, the handlers notice when they reply.
        if (!isRedisReply(error)) this.ids.push(...some);
      });
    }
  }
}
