import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { ensureGroupScript } from '../../redis/scripts/reserve/ensure-group.script.js';
import { leaveMembersScript } from '../../redis/scripts/admin/leave-members.script.js';
import { removeConsumerScript } from '../../redis/scripts/admin/remove-consumer.script.js';
import * as text from '../consumer.messages.js';
import type { FlowSet, FollowedStream } from '../flow-set.js';
import type { StreamFlow } from '../stream-flow.js';
import type { KnownWildcards } from './known-wildcards.js';
import type { Membership } from './membership.js';

/** Who is away for longer finds entries that retention may have removed. */
const BLIND_MS = 24 * 60 * 60 * 1000;

export interface GroupsParts {
  readonly client: Redis;
  readonly group: string;
  readonly consumer: string;
  readonly leaseMs: number;
  readonly flows: FlowSet;
  readonly wildcards: KnownWildcards;
  readonly membership: Membership;
  readonly logger: LoggerService;
}

/** Makes sure that each stream has the group, at the right position, with this consumer as a member. */
export class Groups {
  constructor(private readonly parts: GroupsParts) {}

  /** Makes what is missing. A stream that nobody named and that is gone is read no more. */
  async ensureAll(some: readonly StreamFlow[] = this.parts.flows.present): Promise<void> {
    const wanted = new Set(some);
    const present = this.parts.flows.followed.filter(({ flow }) => wanted.has(flow));
    await Promise.all(present.map((followed) => this.ensure(followed)));
  }

  /** @returns whether the stream is there, and so its group */
  async ensure(followed: FollowedStream): Promise<boolean> {
    const { client, group, flows, wildcards, membership, logger } = this.parts;
    const { stream, keys, options, inHand } = followed.flow;
    const { kind, after } = await ensureGroupScript.run(
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
      ],
      [
        group,
        wildcards.beginOf(options.startFrom, followed.wildcards),
        inHand.highestId,
        BLIND_MS,
        followed.isNamed ? '' : this.keepMs(followed),
        ...membership.rowIn(followed.flow),
      ],
    );
    if (kind === 'gone') {
      inHand.highestId = '';
      if (!flows.isPresent(followed.flow)) return false;
      flows.leaveOut(followed);
      logger.warn(text.streamGone(stream));
      return false;
    }
    if (kind === 'made') logger.log(text.groupMade(stream, group, after));
    if (kind === 'set-back') logger.warn(text.groupSetBack(stream, group, after));
    // Of a group that it found there, a member knows from then on where it stood.
    if (inHand.highestId === '') inHand.noteGiven(after);
    return true;
  }

  /**
   * Says that this consumer is no longer a member.
   *
   * @param isForGood whether nobody will have its name again: then it is of no use to its groups, once nothing is pending for it
   */
  async leave(isForGood: boolean): Promise<void> {
    const { client, group, consumer, flows } = this.parts;
    const left = flows.present.map(({ keys: { stream, members, versions } }) =>
      isForGood
        ? removeConsumerScript.run(client, [stream, members, versions], [group, consumer, 0])
        : leaveMembersScript.run(client, [members, versions], [consumer]),
    );
    // Redis may be away: a consumer without entries harms nobody, and is no longer a member once its time is over.
    await Promise.allSettled(left);
  }

  // What runs on while its stream is gone may still be recorded: twice as long covers that.
  private keepMs({ flow }: FollowedStream): number {
    const { dedup } = flow.options;
    return 2 * Math.max(dedup === false ? 0 : dedup.windowMs, this.parts.leaseMs);
  }
}
