import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { ledgerWindowMs } from '../../options/resolved-options.js';
import { startPosition } from '../../options/start-from.js';
import type { StartFrom } from '../../options/subscription-options.js';
import { leaveMembersScript } from '../../redis/scripts/admin/members.script.js';
import { rememberWildcardsScript } from '../../redis/scripts/admin/remember-wildcards.script.js';
import { removeConsumerScript } from '../../redis/scripts/admin/remove-consumer.script.js';
import {
  type EnsuredGroup,
  ensureGroupScript,
} from '../../redis/scripts/reserve/ensure-group.script.js';
import { isRefusal } from '../../redis/server/redis-errors.js';
import type { ByStream } from '../../wire/by-stream.js';
import { otherUseKey, wildcardsKey } from '../../wire/stream-keys.js';
import * as text from '../consumer.messages.js';
import type { FollowedStream, FollowedStreams } from '../followed-streams.js';
import type { Member } from '../member.js';
import type { Pipeline } from '../pipeline.js';
import type { Refusals } from '../refusals.js';

/** Who is away for longer may find that retention has removed entries. */
const BLIND_MS = 24 * 60 * 60 * 1000;

/** Makes sure that each stream has the group, at the right position, with this consumer as a member. */
export class Groups {
  constructor(
    private readonly member: Member,
    private readonly streams: FollowedStreams,
    private readonly wildcards: KnownWildcards,
    private readonly refusals: Refusals,
    private readonly ttls: ByStream<number>,
    private readonly logger: LoggerService,
  ) {}

  /**
   * Creates what is missing of the streams of these pipelines, or of all, and of partitions that others own: their first
   * messages would be missed otherwise. A stream that no handler names is not read while it does not exist, and one that Redis
   * refuses is set aside.
   */
  async ensureAll(some: readonly Pipeline[] = this.streams.reading): Promise<void> {
    const wanted = new Set<Pipeline | undefined>(some).add(undefined);
    const meant = this.streams.all.filter(
      (followed) =>
        wanted.has(followed.pipeline) && !this.streams.isMissing(followed) && !followed.isSetAside,
    );
    await Promise.all(
      meant.map((followed) =>
        this.ensure(followed).catch((error: unknown) => {
          if (!isRefusal(error)) throw error;
          this.refusals.note(followed, error);
        }),
      ),
    );
  }

  /** @returns whether the stream exists, and so its group */
  async ensure(followed: FollowedStream): Promise<boolean> {
    const { streams, logger } = this;
    const { group } = this.member;
    const { name, position } = followed;
    const { kind, after } = await this.ask(followed);
    if (kind === 'gone') {
      position.forget();
      if (streams.isMissing(followed)) return false;
      streams.leaveOut(followed);
      logger.warn(text.streamGone(name));
      return false;
    }
    if (kind === 'made') logger.log(text.groupMade(name, group, after));
    if (kind === 'set-back') logger.warn(text.groupSetBack(name, group, after));
    // From now on this member knows up to where the group that it found was given entries.
    if (position.highestId === '') position.noteGiven(after);
    return true;
  }

  private async ask(followed: FollowedStream): Promise<EnsuredGroup> {
    const ensured = await this.send(followed, []);
    if (ensured.kind !== 'asks') return ensured;
    const { position } = followed;
    const again = await this.send(followed, [...position.givenUpTo(ensured.after), '0-0']);
    position.rewind(again.after);
    return again;
  }

  /** @param given entries that the group was given, if the script asks for them */
  private send(followed: FollowedStream, given: readonly string[]): Promise<EnsuredGroup> {
    const { client, group } = this.member;
    const { keys, consumed, position } = followed;
    return ensureGroupScript.run(
      client,
      [
        keys.stream,
        keys.position,
        keys.madeBlindly,
        keys.ledger,
        keys.leases,
        keys.attempts,
        keys.packedLedger,
        keys.members,
        keys.versions,
        keys.retries,
        otherUseKey(keys, followed.partition !== undefined),
      ],
      [
        group,
        this.wildcards.beginOf(consumed.options.startFrom, consumed.wildcards),
        position.highestId,
        BLIND_MS,
        consumed.isNamed ? '' : this.keepMs(followed),
        ...this.member.rowIn(followed),
        this.ttls.get(consumed.stream) ?? '',
        ...given,
      ],
    );
  }

  /**
   * Says that this consumer is no longer a member.
   *
   * @param isForGood whether nobody will use its name again: then it is removed from groups in which nothing is pending for it
   */
  async leave(isForGood: boolean): Promise<void> {
    const { client, group, consumer } = this.member;
    const present = this.streams.all.filter((followed) => !this.streams.isMissing(followed));
    const leaving = present.map(async ({ keys, partition, wasRead }) => {
      const { stream, members, versions, left } = keys;
      const record = [members, versions, left];
      if (isForGood && wasRead) {
        await removeConsumerScript.run(client, [stream, ...record], [group, consumer, 0]);
      } else if (!isForGood && partition === undefined) {
        // Partitions share the members of their stream, and have left those already.
        await leaveMembersScript.run(client, record, [consumer]);
      }
    });
    // Redis may be away: a consumer without entries does no harm, and is no member any more once its time is over.
    await Promise.allSettled(leaving);
  }

  // What still runs while its stream is gone may be recorded later: twice as long covers that.
  private keepMs({ consumed }: FollowedStream): number {
    return 2 * Math.max(ledgerWindowMs(consumed.options), this.member.leaseMs);
  }
}

const ALL_OF_IT = '0';

/**
 * Since when a group reads the streams that its wildcards match. `startFrom: 'latest'` leaves out what was published before that.
 * What was published later is read, however late its stream is found, and even if no member ran meanwhile.
 */
export class KnownWildcards {
  private since: readonly string[];

  constructor(
    private readonly client: Redis,
    private readonly group: string,
    private readonly keyPrefix: string,
    readonly wildcards: readonly string[],
  ) {
    this.since = wildcards.map(() => '');
  }

  /** Asks what the group knows, and writes what we know: Redis may have been emptied meanwhile. */
  async remember(): Promise<void> {
    if (this.wildcards.length === 0) return;
    this.since = await rememberWildcardsScript.run(
      this.client,
      [wildcardsKey(this.group)],
      this.wildcards.flatMap((wildcard, n) => [this.keyPrefix + wildcard, this.since[n] ?? '']),
    );
  }

  /** All streams have their group: what is found from now on is new, and read from its beginning. */
  async looked(): Promise<void> {
    if (this.since.every((since) => since === ALL_OF_IT)) return;
    this.since = this.wildcards.map(() => ALL_OF_IT);
    await this.remember();
  }

  /** Where a new group begins in a stream that some of the wildcards match, as the `ensure-group` script takes it. */
  beginOf(startFrom: StartFrom, wildcards: readonly string[]): string {
    if (startFrom !== 'latest' || wildcards.length === 0) return startPosition(startFrom) ?? '$';
    const known = wildcards.map((wildcard) => this.since[this.wildcards.indexOf(wildcard)] ?? '');
    return known.includes(ALL_OF_IT) ? ALL_OF_IT : `<${Math.min(...known.map(Number))}`;
  }
}
