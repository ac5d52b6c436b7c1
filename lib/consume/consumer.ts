import { randomBytes } from 'node:crypto';
import type { LoggerService } from '@nestjs/common';
import { ConnectionClosedError } from '../errors/redis.errors.js';
import { DelayedMessages } from '../publish/delayed-messages.js';
import type { ResolvedServerOptions } from '../options/resolved-options.js';
import type { RedisStreamsStatus } from '../redis/connect/connection-watch.js';
import { errorText } from '../redis/server/redis-errors.js';
import { watchServer } from '../redis/server/server-watch.js';
import type { ConsumedStream, ConsumedWildcards } from './consumed-stream.js';
import { ConsumerTallies } from './consumer-tallies.js';
import * as text from './consumer.messages.js';
import { drainInTime } from './drain-in-time.js';
import { DueEntries } from './sources/due-entries.js';
import { FaultLog, type Faults } from '../redis/connect/fault-log.js';
import { flowParts, type PartsOf } from './flow-parts.js';
import { FlowSet, type FollowedStream } from './flow-set.js';
import { Groups } from './sources/groups.js';
import { Heartbeat } from './sources/heartbeat.js';
import { KnownWildcards } from './sources/known-wildcards.js';
import { LoneRuns } from './lone-runs.js';
import { Membership } from './sources/membership.js';
import { type OwnedPartition, Partitions } from './partitions/partitions.js';
import { Recovery } from './sources/recovery.js';
import { Replier } from '../requests/replier.js';
import { Resumption } from './sources/resumption.js';
import { ServerConnections } from './sources/server-connections.js';
import { StartedAt } from './started-at.js';
import { StreamDiscovery } from './sources/stream-discovery.js';
import { StreamFlow } from './stream-flow.js';
import { StreamReaders } from './sources/stream-readers.js';
import { once, throughFailover } from './sources/through-failover.js';

/** One running member of a group: reads its streams and takes their entries through the pipeline. */
export class Consumer {
  readonly tallies: ConsumerTallies;
  readonly connections: ServerConnections;
  private readonly flows = new FlowSet();
  private readonly groups: Groups;
  private readonly partsOf: PartsOf;
  private readonly known: KnownWildcards;
  private readonly reader: StreamReaders;
  private readonly due: DueEntries;
  private readonly heartbeat: Heartbeat;
  private readonly recovery: Recovery;
  private readonly partitions: Partitions;
  private readonly discovery: StreamDiscovery | undefined;
  private readonly token = randomBytes(8).toString('hex');
  private readonly startedAt = new StartedAt();
  /** Ends whatever waits for Redis. */
  private readonly closing = new AbortController();
  private started = false;
  private drained: Promise<void> | undefined;

  constructor(
    private readonly options: ResolvedServerOptions,
    streams: readonly ConsumedStream[],
    asked: ConsumedWildcards,
    private readonly logger: LoggerService,
  ) {
    const { group, consumer, leaseMs, blockMs, keyPrefix } = options;
    const { flows, token, startedAt } = this;
    const connections = new ServerConnections(options.connection, consumer, blockMs);
    const client = connections.commands;
    const onRoom = (streamKey: string): void => this.reader.roomIn(streamKey);
    const resumption = new Resumption({ group, consumer, token, startedAt, onWaited: onRoom });
    this.connections = connections;
    this.tallies = new ConsumerTallies(group, consumer);
    const log = new FaultLog(logger);
    const faults = (about: string): Faults => log.of(about, text.readFailed);
    this.known = new KnownWildcards(client, group, keyPrefix, asked.wildcards);
    const member = { client, group, consumer, membership: new Membership(options), flows };
    this.groups = new Groups({ ...member, leaseMs, wildcards: this.known, logger });
    const replier = new Replier({
      client,
      signal: this.closing.signal,
      ...log.of('replies', text.repliesFailed),
    });
    this.partsOf = flowParts({
      options,
      connections,
      replier,
      tallies: this.tallies,
      loneRuns: new LoneRuns(leaseMs),
      logger,
      onRoom,
      signal: this.closing.signal,
    });
    this.reader = new StreamReaders({
      ...member,
      connections,
      blockMs,
      resumption,
      ensureGroups: this.ensureGroups,
      ...faults('read'),
    });
    const delayed = new DelayedMessages(client, logger);
    this.due = new DueEntries({ ...member, ...faults('due'), leaseMs, resumption, delayed });
    this.heartbeat = new Heartbeat({ ...member, ...faults('renew'), leaseMs });
    this.recovery = new Recovery({
      ...member,
      ...faults('recover'),
      startedAt,
      minIdleMs: leaseMs,
      intervalMs: options.recoveryIntervalMs,
      ensureGroups: this.ensureGroups,
    });
    if (asked.wildcards.length > 0) {
      this.discovery = new StreamDiscovery({
        ...member,
        ...asked,
        keyPrefix,
        intervalMs: options.discoveryIntervalMs,
        partitions: options.partitions,
        groups: this.groups,
        known: this.known,
        follow: (stream) => this.follow(stream),
        onFound: ({ flow }) => {
          resumption.restart(flow);
          this.recovery.include(flow);
          onRoom(flow.keys.stream);
        },
        logger,
      });
    }
    this.partitions = new Partitions(
      {
        ...member,
        onFault: faults('read').onFault,
        connections,
        keyPrefix,
        token: this.token,
        leaseMs,
        groups: this.groups,
        partsOf: this.partsOf,
        leaveRead: (flow) => this.reader.leave(flow),
      },
      streams,
      options.partitions,
    );
    const whole = streams.filter(({ stream }) => !options.partitions.has(stream));
    for (const followed of whole.map((stream) => this.follow(stream))) {
      flows.include(followed);
      resumption.restart(followed.flow);
    }
  }

  /** The streams that are read. */
  get streams(): string[] {
    return this.flows.present.map(({ stream }) => stream);
  }

  /** How long ago the reader last came round, in ms; 0 where it need not. */
  get readerQuietMs(): number {
    return this.reader.quietMs;
  }

  /** The partitions that this process has to itself now, of the streams that have some. */
  get ownedPartitions(): OwnedPartition[] {
    return this.partitions.owned;
  }

  /** Whether it stops, or has. */
  get isDraining(): boolean {
    return this.drained !== undefined;
  }

  get inFlight(): number {
    return this.everyFlow.reduce((sum, { runningCount }) => sum + runningCount, 0);
  }

  /** How many messages it has begun with and not settled, of which Redis may not tell. */
  get unsettled(): number {
    return this.everyFlow.reduce((sum, { unsettledCount }) => sum + unsettledCount, 0);
  }

  /**
   * Connects, for as long as that takes, and begins to read.
   *
   * @throws ConnectionClosedError where it is closed meanwhile; UnsupportedServerError
   */
  async start(report: (status: RedisStreamsStatus) => void): Promise<void> {
    this.connections.open(this.logger, report, () => this.tallies.reconnects++);
    this.tallies.clock.follow(this.connections.commands, this.closing.signal);
    await this.connections.ready(this.closing.signal);
    const { commands, isCluster } = this.connections;
    const { signal } = this.closing;
    const through = isCluster ? throughFailover : once;
    await through(() => watchServer(commands, this.logger, signal), signal);
    await through(() => this.startedAt.ask(commands), signal);
    await through(() => this.known.remember(), signal);
    await through(() => this.ensureGroups(), signal);
    if (this.drained !== undefined) throw new ConnectionClosedError('its groups');
    this.started = true;
    this.due.start();
    if (this.flows.all.length === 0 && !this.discovery && !this.partitions.areThere) return;
    this.reader.start();
    this.heartbeat.start();
    this.recovery.start();
    await Promise.all([this.discovery?.start(), this.partitions.start()]);
    if (this.drained !== undefined) throw new ConnectionClosedError('its groups');
  }

  /**
   * Stops reading, and lets what runs end; fulfilled once all of it is settled, or the time for it is over. Can be
   * called again, and gives the same promise.
   */
  drain(): Promise<void> {
    this.drained ??= this.endWork();
    return this.drained;
  }

  /** Drains unless that was done, and ends our connections. Never rejects. */
  async close(): Promise<void> {
    await this.drain();
    this.heartbeat.stop();
    this.partitions.end();
    this.closing.abort(new ConnectionClosedError('Redis'));
    this.connections.close();
  }

  private async endWork(): Promise<void> {
    if (!this.started) {
      this.closing.abort(new ConnectionClosedError('Redis'));
      return;
    }
    // Before all else: to end the reads can take as long as Redis is away.
    for (const flow of this.flows.all) flow.stop();
    const drained = this.drainAndLeave().catch((error: unknown) => {
      this.logger.warn(text.closedWithFault(errorText(error)));
    });
    await drainInTime(drained, () => this.everyFlow, this.options.drainTimeoutMs);
  }

  private async drainAndLeave(): Promise<void> {
    const sources = [this.reader, this.due, this.recovery, this.discovery];
    const whole = this.flows.all.filter(({ isOwned }) => !isOwned);
    const wholeDrained = Promise.all(sources.map((source) => source?.stop())).then(() =>
      Promise.all(whole.map((flow) => flow.drain())),
    );
    // Each partition goes to another member as soon as nothing of it runs here, whatever runs elsewhere.
    await Promise.all([wholeDrained, this.partitions.leave()]);
    await this.leaveGroups();
  }

  /** Of these flows, or of all, and of partitions that nobody reads here. */
  private readonly ensureGroups = async (some?: readonly StreamFlow[]): Promise<void> => {
    await Promise.all([this.groups.ensureAll(some), this.partitions.ensureGroups()]);
  };

  private async leaveGroups(): Promise<void> {
    const isForGood = this.options.consumerIsGenerated;
    await Promise.all([this.groups.leave(isForGood), isForGood && this.partitions.leaveGroups()]);
  }

  /** Those of which something may be in hand. */
  private get everyFlow(): StreamFlow[] {
    return [...new Set([...this.flows.all, ...this.partitions.left])];
  }

  private follow(consumed: ConsumedStream): FollowedStream {
    const { stream, isNamed, wildcards } = consumed;
    const flow = new StreamFlow(this.partsOf(consumed, stream, this.token));
    return { flow, isNamed, wildcards };
  }
}
