import type { LoggerService } from '@nestjs/common';
import { ConnectionClosedError } from '../errors/redis.errors.js';
import type { ResolvedServerOptions } from '../options/resolved-options.js';
import { DelayedMessages } from '../publish/delayed-messages.js';
import type { RedisStreamsStatus } from '../redis/connect/opened-connection.js';
import { FaultLog, type Faults } from '../redis/connect/retry-until-done.js';
import { hasFinishedScript } from '../redis/scripts/reserve/has-finished.script.js';
import { errorText, isRefusal } from '../redis/server/redis-errors.js';
import { watchServer } from '../redis/server/server-watch.js';
import { Replier } from '../requests/replier.js';
import { memberKeys } from '../wire/stream-keys.js';
import * as text from './consumer.messages.js';
import { FollowedStreams } from './followed-streams.js';
import { Heartbeat } from './heartbeat.js';
import { Member } from './member.js';
import { MovedClock } from './moved-clock.js';
import { PartitionedStream } from './partitions/partitioned-stream.js';
import { type OwnedPartition, Partitions } from './partitions/partitions.js';
import { PipelineBuilder } from './pipeline-builder.js';
import type { Pipeline } from './pipeline.js';
import { Quarantine } from './quarantine.js';
import { Refusals } from './refusals.js';
import { isNameInUse } from './same-consumer.js';
import { once, ServerConnections, throughFailover } from './sources/connections.js';
import { AnnouncedStreams } from './sources/announced-streams.js';
import { StreamDiscovery } from './sources/discovery.js';
import { DueEntries } from './sources/due-entries.js';
import { Groups, KnownWildcards } from './sources/groups.js';
import { Recovery } from './sources/recovery.js';
import { Resumption } from './sources/resumption.js';
import { SetAsideStreams } from './sources/set-aside.js';
import { StreamReaders } from './sources/stream-readers.js';
import { StreamLifetimes } from './stream-lifetimes.js';
import type { ConsumedStream, ConsumedWildcards } from './stream-place.js';
import { ConsumerTallies } from './tallies.js';
import { Demand, within } from './waiting.js';

/** How long `close` may take beyond the drain, in ms: to record outcomes, and to leave the groups. */
const FINISH_MS = 600;

/** One running member of a group: reads its streams and takes their entries through their pipelines. */
export class Consumer {
  readonly tallies: ConsumerTallies;
  readonly connections: ServerConnections;
  private readonly followed = new FollowedStreams();
  private readonly member: Member;
  private readonly groups: Groups;
  private readonly refusals: Refusals;
  private readonly wildcards: KnownWildcards;
  private readonly readers: StreamReaders;
  private readonly due: DueEntries;
  private readonly heartbeat: Heartbeat;
  private readonly lifetimes: StreamLifetimes;
  private readonly recovery: Recovery;
  private readonly setAside: SetAsideStreams;
  private readonly partitions: Partitions;
  private readonly discovery: StreamDiscovery | undefined;
  /** Ends whatever waits for Redis. */
  private readonly closing = new AbortController();
  private hasStarted = false;
  private drained: Promise<void> | undefined;

  constructor(
    private readonly options: ResolvedServerOptions,
    streams: readonly ConsumedStream[],
    asked: ConsumedWildcards,
    private readonly logger: LoggerService,
  ) {
    const { group, consumer, blockMs, keyPrefix, recoveryIntervalMs } = options;
    const connections = new ServerConnections(options.connection, consumer, blockMs);
    const client = connections.commands;
    const { followed } = this;
    const member = new Member(client, options);
    const tallies = new ConsumerTallies(group, consumer);
    const demand = new Demand();
    const dueDemand = new Demand();
    const log = new FaultLog(logger);
    const faults = (about: string): Faults => log.of(about, text.readFailed);
    const replier = new Replier({
      client,
      signal: this.closing.signal,
      ...log.of('replies', text.repliesFailed),
      onRefused: (inbox, error) => logger.error(text.replyRefused(inbox, errorText(error))),
    });
    const refusals = new Refusals(member, followed);
    const builder = new PipelineBuilder(
      options,
      member,
      replier,
      tallies,
      new Quarantine(options.leaseMs),
      refusals,
      demand,
      dueDemand,
      logger,
      this.closing.signal,
    );
    const wildcards = new KnownWildcards(client, group, keyPrefix, asked.wildcards);
    const groups = new Groups(member, followed, wildcards, refusals, options.ttls, logger);
    const resumption = new Resumption(member, demand);
    const delayed = new DelayedMessages(client, logger, () =>
      followed.all.map(({ keys }) => keys.stream),
    );
    this.connections = connections;
    this.tallies = tallies;
    this.member = member;
    this.wildcards = wildcards;
    this.groups = groups;
    this.refusals = refusals;
    this.readers = new StreamReaders(
      member,
      followed,
      connections,
      resumption,
      groups,
      refusals,
      demand,
      faults('read'),
      blockMs,
    );
    this.heartbeat = new Heartbeat(followed, options.leaseMs, refusals, faults('renew'));
    this.lifetimes = new StreamLifetimes(member, followed, options.ttls, (stream) =>
      log.of(`ttlMs of ${stream}`, (reason) => text.ttlNotRenewed(stream, reason)),
    );
    this.recovery = new Recovery(
      member,
      followed,
      groups,
      refusals,
      faults('recover'),
      recoveryIntervalMs,
    );
    this.due = new DueEntries(
      member,
      followed,
      resumption,
      delayed,
      new MovedClock(this.heartbeat, this.recovery, logger),
      refusals,
      dueDemand,
      faults('due'),
    );
    this.setAside = new SetAsideStreams(
      member,
      refusals,
      groups,
      resumption,
      this.recovery,
      demand,
      logger,
    );
    if (asked.wildcards.length > 0) {
      this.discovery = new StreamDiscovery(
        options,
        asked,
        client,
        followed,
        builder,
        groups,
        wildcards,
        resumption,
        this.recovery,
        demand,
        new AnnouncedStreams(options, client, logger),
        logger,
      );
    }
    const partitioned = streams.flatMap((consumed) => {
      const count = options.partitions.get(consumed.stream);
      if (count !== undefined) {
        return new PartitionedStream(
          consumed,
          count,
          keyPrefix,
          member,
          followed,
          builder,
          this.readers,
          refusals,
          (about) => faults(`partitions ${about}`),
        );
      }
      const stream = builder.follow(consumed);
      followed.include(stream);
      if (stream.pipeline !== undefined) resumption.restart(stream.pipeline);
      return [];
    });
    this.partitions = new Partitions(partitioned, connections);
  }

  /** The streams that are read. */
  get streams(): string[] {
    return this.followed.reading.map(({ place }) => place.consumed.stream);
  }

  /** How long ago the reader last began a round, in ms; 0 if it has nothing to do. */
  get readerQuietMs(): number {
    return this.readers.quietMs;
  }

  /** The streams that are not read now, since Redis refuses them. */
  get refusedStreams(): Refusals['all'] {
    return this.refusals.all;
  }

  /** The partitions that this process owns now. */
  get ownedPartitions(): OwnedPartition[] {
    return this.partitions.owned;
  }

  /** Whether it stops, or has stopped. */
  get isDraining(): boolean {
    return this.drained !== undefined;
  }

  get inFlight(): number {
    return this.everyPipeline.reduce((sum, { runningCount }) => sum + runningCount, 0);
  }

  /** Unfinished messages that Redis may no longer list as pending. */
  get unsettled(): number {
    return this.everyPipeline.reduce((sum, { unsettledCount }) => sum + unsettledCount, 0);
  }

  /** Whether its connections are closed: what was not recorded by then stays pending. */
  get isClosed(): boolean {
    return this.closing.signal.aborted;
  }

  /** Resolves once everything that has ended so far is recorded, or the connections are closed. */
  async recorded(): Promise<void> {
    await Promise.all(this.everyPipeline.map((pipeline) => pipeline.settled()));
  }

  /** Whether the group has finished all streams that are read here: nothing is unread, pending, or waits for a retry. */
  async hasFinished(): Promise<boolean> {
    const { client, group } = this.member;
    for (const { keys } of this.followed.all) {
      if (!(await hasFinishedScript.run(client, [keys.stream, keys.retries], [group])))
        return false;
    }
    // At-most-once has acknowledged what runs.
    return this.everyPipeline.every(({ inHand }) => inHand.size === 0);
  }

  /**
   * Connects, however long that takes, and begins to read.
   *
   * @throws ConnectionClosedError if it is closed meanwhile; UnsupportedServerError; StreamsRefusedError
   */
  async start(report: (status: RedisStreamsStatus) => void): Promise<void> {
    this.connections.open(this.logger, report, () => this.tallies.reconnects++);
    this.tallies.clock.follow(this.connections.commands, this.closing.signal);
    await this.connections.ready(this.closing.signal);
    const { commands, isCluster } = this.connections;
    const { signal } = this.closing;
    const through = isCluster ? throughFailover : once;
    await through(() => watchServer(commands, this.logger, signal), signal);
    await through(() => this.member.noteStartTime(), signal);
    // If that is refused, each look for streams tries it again and reports it.
    await through(() => this.wildcards.remember(), signal).catch(unlessRefused);
    await through(() => this.warnOfSameName(), signal);
    await through(() => this.groups.ensureAll(), signal);
    await this.refusals.failIfAll();
    if (this.drained !== undefined) throw new ConnectionClosedError('its groups');
    this.hasStarted = true;
    this.due.start();
    if (this.followed.all.length === 0 && !this.discovery) return;
    this.setAside.start();
    this.readers.start();
    this.heartbeat.start();
    this.lifetimes.start();
    this.recovery.start();
    await Promise.all([this.discovery?.start(), this.partitions.start()]);
    if (this.drained !== undefined) throw new ConnectionClosedError('its groups');
  }

  /**
   * Stops reading, and lets what runs end. Resolves once all of it is settled, or the time for it is over. A second call gives
   * the same promise.
   */
  drain(): Promise<void> {
    this.drained ??= this.endWork();
    return this.drained;
  }

  /** Drains unless that was done, and ends our connections. Never rejects. */
  async close(): Promise<void> {
    await this.drain();
    this.heartbeat.stop();
    this.lifetimes.stop();
    this.partitions.end();
    this.closing.abort(new ConnectionClosedError('Redis'));
    this.connections.close();
  }

  private async endWork(): Promise<void> {
    if (!this.hasStarted) {
      this.closing.abort(new ConnectionClosedError('Redis'));
      return;
    }
    // Before all else: to end the reads can take as long as Redis is away.
    for (const pipeline of this.followed.pipelines) pipeline.stop();
    const drained = this.drainAndLeave().catch((error: unknown) => {
      this.logger.warn(text.closedWithFault(errorText(error)));
    });
    const isNothingLeft = this.connections.isAway && this.holdsNothing;
    if (await within(drained, isNothingLeft ? FINISH_MS : this.options.drainTimeoutMs)) return;
    // A handler that ends because it was told to has an outcome that is recorded like any other.
    const givenUp = Promise.all(this.everyPipeline.map((pipeline) => pipeline.giveUp()));
    await within(
      givenUp.then(() => drained),
      FINISH_MS,
    );
  }

  private async drainAndLeave(): Promise<void> {
    const isWhole = ({ place }: Pipeline): boolean => place.partition === undefined;
    const whole = this.followed.pipelines.filter(isWhole);
    const sources = [this.readers, this.due, this.recovery, this.discovery, this.setAside];
    const wholeDrained = Promise.all(sources.map((source) => source?.stop())).then(() =>
      Promise.all(whole.map((pipeline) => pipeline.drain())),
    );
    // Each partition goes to another member as soon as nothing of it runs here, whatever runs elsewhere.
    await Promise.all([wholeDrained, this.partitions.leave()]);
    await this.groups.leave(this.options.consumerIsGenerated);
  }

  /** A name that was made for this process is nobody else's. */
  private async warnOfSameName(): Promise<void> {
    const { consumerIsGenerated, group, consumer, keyPrefix } = this.options;
    if (consumerIsGenerated) return;
    const streams = new Set(this.followed.all.map(({ consumed }) => consumed.stream));
    const keys = [...streams].map((stream) => memberKeys(keyPrefix, stream, group).members);
    if (!(await isNameInUse(this.connections.commands, this.member, keys))) return;
    this.logger.warn(text.nameInUse(group, consumer));
  }

  /** Whether there is nothing to run and nothing to record. */
  private get holdsNothing(): boolean {
    return this.everyPipeline.every(
      ({ inHand, unsettledCount }) => inHand.size === 0 && unsettledCount === 0,
    );
  }

  /** Those that may have something in hand. */
  private get everyPipeline(): Pipeline[] {
    return [...new Set([...this.followed.pipelines, ...this.partitions.left])];
  }
}

function unlessRefused(error: unknown): void {
  if (!isRefusal(error)) throw error;
}
