import { StreamsRefusedError } from '../errors/redis.errors.js';
import { reconnectDelayMs } from '../redis/connect/retry-until-done.js';
import { probeGroup } from '../redis/read/streams.js';
import { examineStreamScript } from '../redis/scripts/reserve/examine-stream.script.js';
import { errorText, isGroupGone, isRefusal } from '../redis/server/redis-errors.js';
import type { StreamKeys } from '../wire/stream-keys.js';
import * as text from './consumer.messages.js';
import type { Standing } from './delivery/steps.js';
import { FollowedStream, type FollowedStreams } from './followed-streams.js';
import type { Member } from './member.js';
import { Wakeup } from './waiting.js';

/** The types of a stream's keys. A wrong position is replaced, and a wrong key of dead letters concerns only messages that become one. */
const TYPES: readonly (readonly [keyof StreamKeys, type: string])[] = [
  ['stream', 'stream'],
  ['ledger', 'zset'],
  ['packedLedger', 'hash'],
  ['leases', 'hash'],
  ['retries', 'zset'],
  ['attempts', 'hash'],
  ['position', ''],
  ['madeBlindly', ''],
  ['deadLetters', ''],
];

/** What Redis refuses of one stream. */
class Refusal {
  /** Has news when it is refused again after it was tried. */
  again = new Wakeup();
  /** Has news when it is worth trying again. */
  readonly tried = new Wakeup();

  constructor(
    readonly followed: FollowedStream,
    public error: unknown,
  ) {}
}

/**
 * The streams of this consumer that Redis refuses, because of a key, its type or a right. Each is set aside: it is neither read
 * nor started, and what waits to be recorded of it is tried again only when the stream is.
 */
export class Refusals {
  private readonly byStream = new Map<FollowedStream, Refusal>();
  private raised: Refusal[] = [];
  private readonly news = new Wakeup();
  private isOver = false;
  private blaming: Promise<boolean> | undefined;
  private vainBlames = 0;
  private nextBlameAt = 0;

  constructor(
    private readonly member: Member,
    private readonly streams: FollowedStreams,
  ) {}

  /** The streams that are set aside, and why. */
  get all(): readonly { readonly stream: string; readonly reason: string }[] {
    return [...this.byStream.values()].map(({ followed, error }) => ({
      stream: followed.name,
      reason: errorText(error),
    }));
  }

  /** Why a stream is set aside. An examination knows the key, which most errors do not name. */
  async reasonOf(followed: FollowedStream): Promise<string> {
    const found = await this.examine(followed).catch(() => undefined);
    return found ?? errorText(this.byStream.get(followed)?.error);
  }

  /** @throws StreamsRefusedError if Redis refuses every stream: then a right or an option is wrong, and not a stream */
  async failIfAll(): Promise<void> {
    const [first] = this.byStream.values();
    if (first === undefined || this.byStream.size < this.streams.all.length) return;
    const refused = [...this.byStream.keys()].map(async (followed) => ({
      stream: followed.name,
      reason: await this.reasonOf(followed),
    }));
    throw new StreamsRefusedError(this.member.group, await Promise.all(refused), {
      cause: first.error,
    });
  }

  /** Redis refused something that concerns the whole stream. */
  note(followed: FollowedStream, error: unknown): void {
    const known = this.byStream.get(followed);
    this.streams.setAside(followed);
    if (known !== undefined) {
      known.error = error;
      known.again.notify();
      return;
    }
    const refusal = new Refusal(followed, error);
    this.byStream.set(followed, refusal);
    this.raised.push(refusal);
    this.news.notify();
  }

  /** A stream as the steps of its messages see it. */
  standingOf(followed: FollowedStream): Standing {
    return {
      note: (error) => this.note(followed, error),
      untilTried: async () => {
        if (!this.isOver) await this.byStream.get(followed)?.tried.next();
        return !this.isOver;
      },
    };
  }

  /** Resolves once there are streams that were not refused before. */
  async next(): Promise<readonly FollowedStream[]> {
    await this.news.next();
    const followed = this.raised.map((refusal) => refusal.followed);
    this.raised = [];
    return followed;
  }

  /** Lets everything try a stream again. @returns resolves once it is refused again, or nothing is tried any more */
  async tryAgain(followed: FollowedStream): Promise<void> {
    const refusal = this.byStream.get(followed);
    if (refusal === undefined) return;
    refusal.again = new Wakeup();
    this.streams.putBack(followed);
    followed.pipeline?.goOn();
    refusal.tried.notify();
    await refusal.again.next();
  }

  /** A stream works again, or is gone. */
  forget(followed: FollowedStream): void {
    this.byStream.get(followed)?.tried.notify();
    this.byStream.delete(followed);
    this.streams.putBack(followed);
  }

  /** Nothing is tried any more: whatever waits for that ends. */
  end(): void {
    this.isOver = true;
    this.news.notify();
    for (const { tried, again } of this.byStream.values()) {
      tried.notify();
      again.notify();
    }
  }

  /**
   * Something that concerns several streams was refused: finds out which of them Redis refuses, and sets these aside.
   *
   * @returns whether there are any
   */
  blame(): Promise<boolean> {
    if (performance.now() < this.nextBlameAt) return Promise.resolve(false);
    this.blaming ??= this.findRefused().finally(() => {
      this.blaming = undefined;
    });
    return this.blaming;
  }

  /**
   * @returns why Redis refuses the stream; undefined if it does not
   * @throws if Redis cannot be asked
   */
  async examine(followed: FollowedStream): Promise<string | undefined> {
    const { client, group, consumer } = this.member;
    const { keys } = followed;
    try {
      const named = TYPES.map(([name, type]) => [keys[name], type]);
      if (followed.ownerKey !== undefined) named.push([followed.ownerKey, 'hash']);
      const wrong = await examineStreamScript.run(
        client,
        named.map(([key = '']) => key),
        named.map(([, type = '']) => type),
      );
      if (wrong.length > 0)
        return wrong.map(({ key, type }) => text.wrongKey(key, type)).join('; ');
      if (followed.wasRead) await probeGroup(client, keys.stream, group, consumer);
      return undefined;
    } catch (error) {
      if (isGroupGone(error)) return undefined;
      if (isRefusal(error)) return errorText(error);
      throw error;
    }
  }

  private async findRefused(): Promise<boolean> {
    const some = this.streams.all.filter(
      (followed) => followed.pipeline !== undefined && this.streams.isReading(followed.pipeline),
    );
    const found = await Promise.all(
      some.map(async (followed) => {
        const reason = await this.examine(followed).catch(() => undefined);
        if (reason !== undefined) this.note(followed, new Error(reason));
        return reason !== undefined;
      }),
    );
    const isAny = found.includes(true);
    this.vainBlames = isAny ? 0 : this.vainBlames + 1;
    this.nextBlameAt = isAny ? 0 : performance.now() + 10 * reconnectDelayMs(this.vainBlames);
    return isAny;
  }
}
