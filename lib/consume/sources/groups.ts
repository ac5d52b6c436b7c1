import type { LoggerService } from '@nestjs/common';
import { leaveMembersScript } from '../../redis/scripts/admin/leave-members.script.js';
import { removeConsumerScript } from '../../redis/scripts/admin/remove-consumer.script.js';
import {
  type EnsuredGroup,
  ensureGroupScript,
} from '../../redis/scripts/reserve/ensure-group.script.js';
import { isRefusal } from '../../redis/server/redis-errors.js';
import { ledgerWindowMs } from '../../options/resolved-options.js';
import * as text from '../consumer.messages.js';
import type { FollowedStream, FollowedStreams } from '../followed-streams.js';
import type { Member } from '../member.js';
import type { Refusals } from '../refusals.js';
import type { Pipeline } from '../pipeline.js';
import type { KnownWildcards } from './wildcard-starts.js';

/** Who is away for longer may find that retention has removed entries. */
const BLIND_MS = 24 * 60 * 60 * 1000;

/** Makes sure that each stream has the group, at the right position, with this consumer as a member. */
export class Groups {
  constructor(
    private readonly member: Member,
    private readonly streams: FollowedStreams,
    private readonly wildcards: KnownWildcards,
    private readonly refusals: Refusals,
    private readonly ttls: ReadonlyMap<string, number>,
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
    const left = present.map(async ({ keys, partition, wasRead }) => {
      const { stream, members, versions } = keys;
      if (isForGood && wasRead) {
        await removeConsumerScript.run(client, [stream, members, versions], [group, consumer, 0]);
      } else if (!isForGood && partition === undefined) {
        // Partitions share the members of their stream, and have left those already.
        await leaveMembersScript.run(client, [members, versions], [consumer]);
      }
    });
    // Redis may be away: a consumer without entries does no harm, and is no member any more once its time is over.
    await Promise.allSettled(left);
  }

  // What still runs while its stream is gone may be recorded later: twice as long covers that.
  private keepMs({ consumed }: FollowedStream): number {
    return 2 * Math.max(ledgerWindowMs(consumed.options), this.member.leaseMs);
  }
}
