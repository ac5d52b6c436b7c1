import type { LoggerService } from '@nestjs/common';
import type { ResolvedServerOptions } from '../options/resolved-options.js';
import { JointWrite } from '../redis/connect/cluster-client.js';
import { type ScriptRunner, scriptsOf } from '../redis/scripts/script.js';
import type { Replier } from '../requests/replier.js';
import type { Holder } from '../wire/ids.js';
import { laneKeyFor } from '../wire/partitions.js';
import { streamKeys } from '../wire/stream-keys.js';
import { Decoder } from './decoder.js';
import { deliveriesFor } from './delivery/deliveries-for.js';
import type { ClaimPlace } from './delivery/delivery-scripts.js';
import { DueRoom } from './due-room.js';
import { FollowedStream } from './followed-streams.js';
import { HandlerRunner } from './handlers/handler-runner.js';
import { RequestRuns } from './handlers/request-runs.js';
import type { Member } from './member.js';
import { LaneOrder } from './order/lane-order.js';
import { ArrivalOrder, type Sequencer } from './order/sequencer.js';
import type { Ownership, SharedSlots } from './partitions/gates.js';
import { Pipeline } from './pipeline.js';
import type { Gate, Quarantine } from './quarantine.js';
import type { Refusals } from './refusals.js';
import { ReadAheadBytes } from './read-ahead-bytes.js';
import { RefusedMessages } from './refused-messages.js';
import { DelayFaults, Report } from './report.js';
import { Slots } from './slots.js';
import type { ConsumedStream, StreamPlace } from './stream-place.js';
import type { ConsumerTallies } from './tallies.js';
import type { Demand } from './waiting.js';

/** Builds the pipelines of a consumer: here its modes are chosen, once for each stream. */
export class PipelineBuilder {
  private readonly runner: ScriptRunner;
  private readonly jointWrite: JointWrite;
  private readonly delayFaults: DelayFaults;

  /** @param signal ends all attempts to reach Redis */
  constructor(
    private readonly options: ResolvedServerOptions,
    private readonly member: Member,
    private readonly replier: Replier,
    private readonly tallies: ConsumerTallies,
    private readonly quarantine: Quarantine,
    private readonly refusals: Refusals,
    private readonly demand: Demand,
    private readonly dueDemand: Demand,
    private readonly logger: LoggerService,
    private readonly signal: AbortSignal,
  ) {
    const { client } = member;
    this.jointWrite = new JointWrite(client);
    this.delayFaults = new DelayFaults(logger);
    this.runner = scriptsOf(client);
  }

  /** A stream that all members of the group read together, and its pipeline. */
  follow(consumed: ConsumedStream): FollowedStream {
    const { keyPrefix, group } = this.options;
    const keys = streamKeys(keyPrefix, consumed.stream, group);
    const followed = new FollowedStream(consumed.stream, keys, consumed);
    const bytes = new ReadAheadBytes(consumed.options.readAheadBytes);
    const order = new ArrivalOrder();
    followed.begin(this.pipeline(followed, this.member.token, order, bytes, gatesOf(followed)));
    return followed;
  }

  /** A stream is gone, and nothing of it is in hand. */
  letGo({ consumed }: FollowedStream): void {
    this.tallies.retire(consumed.stream);
  }

  /** The pipeline of a partition, for one turn of owning it, and the order that its owner controls. */
  ownPartition(
    followed: FollowedStream,
    ownership: Ownership,
    slots: SharedSlots,
  ): { readonly pipeline: Pipeline; readonly order: LaneOrder } {
    const { stream, options } = followed.consumed;
    const keyOf = laneKeyFor(this.options.codecs.of(stream));
    const order = new LaneOrder(
      ({ envelope, messageId }) => keyOf(envelope, messageId),
      options.batchSize,
      slots.bytes,
    );
    return {
      pipeline: this.pipeline(followed, ownership.holder, order, slots.bytes, [
        ownership,
        ...gatesOf(followed),
        slots.gate(),
      ]),
      order,
    };
  }

  private pipeline(
    followed: FollowedStream,
    holder: Holder,
    order: Sequencer,
    bytes: ReadAheadBytes,
    gates: readonly Gate[],
  ): Pipeline {
    const { stream, options, invoke } = followed.consumed;
    const { codecs, group } = this.options;
    const tally = this.tallies.of(stream);
    const requests = new RequestRuns(this.member.client, this.replier, codecs.plain(stream), {
      stream,
      streamKey: followed.keys.stream,
      group,
      holder,
      mostReplyBytes: options.replyBufferBytes,
    });
    const report = new Report(stream, group, tally, this.logger, this.delayFaults);
    const deliveries = deliveriesFor(
      this.claim(followed, holder),
      options,
      this.runner,
      this.jointWrite,
      this.refusals.standingOf(followed),
      this.logger,
      this.signal,
    );
    return new Pipeline(
      followed,
      new Decoder(stream, codecs.of(stream), followed.partition),
      order,
      deliveries,
      new Slots(options, this.quarantine, gates),
      new HandlerRunner(stream, invoke, options.handlerTimeoutMs, requests, tally),
      requests,
      report,
      new RefusedMessages(deliveries, requests, report),
      this.demand,
      new DueRoom(this.dueDemand),
      bytes,
    );
  }

  private claim({ consumed, keys, ownerKey }: StreamPlace, holder: Holder): ClaimPlace {
    const { group, consumer, leaseMs } = this.member;
    return { stream: consumed.stream, keys, group, consumer, holder, leaseMs, ownerKey };
  }
}

const gatesOf = ({ consumed: { gate } }: StreamPlace): readonly Gate[] =>
  gate === undefined ? [] : [gate];
