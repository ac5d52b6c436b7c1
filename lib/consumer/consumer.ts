import { randomBytes } from 'node:crypto';
import type { LoggerService } from '@nestjs/common';
import { ConnectionClosedError } from '../errors/connection-closed.error.js';
import { streamKeys } from '../keys/stream-keys.js';
import type { ResolvedServerOptions, ResolvedSubscription } from '../options/resolved-options.js';
import type { RedisStreamsStatus } from '../redis/connection-watch.js';
import { errorText } from '../redis/redis-errors.js';
import { ensureGroupScript } from '../redis/scripts/ensure-group.script.js';
import { removeConsumerScript } from '../redis/scripts/remove-consumer.script.js';
import { watchServer } from '../redis/server-watch.js';
import { type ConsumerCounts, noCounts } from './consumer-counts.js';
import * as text from './consumer.messages.js';
import { DueEntries } from './due-entries.js';
import { FaultLog } from './fault-log.js';
import { Heartbeat } from './heartbeat.js';
import { LoneRuns } from './lone-runs.js';
import { OwnPending } from './own-pending.js';
import { Recovery } from './recovery.js';
import { ServerConnections } from './server-connections.js';
import { StreamFlow } from './stream-flow.js';
import type { Invoke } from './stream-message.js';
import { StreamReader } from './stream-reader.js';
import { within } from './within.js';

/** A stream that is read, and what is done with its messages. */
export interface ConsumedStream {
  readonly stream: string;
  readonly options: ResolvedSubscription;
  readonly invoke: Invoke;
}

/** How long `close` may take beyond the drain: to record what ended, and to say goodbye. */
const FINISH_MS = 600;

/** Who is away for longer finds entries that retention may have removed. */
const BLIND_MS = 24 * 60 * 60 * 1000;

const GROUP_BEGINS: Record<string, string> = { latest: '$', beginning: '0' };

/** One running member of a group: reads its streams and takes their entries through the pipeline. */
export class Consumer {
  readonly counts: ConsumerCounts = noCounts();
  readonly connections: ServerConnections;
  private readonly flows: readonly StreamFlow[];
  private readonly reader: StreamReader;
  private readonly due: DueEntries;
  private readonly heartbeat: Heartbeat;
  private readonly recovery: Recovery;
  private readonly faults: FaultLog;
  /** Ends whatever waits for Redis. */
  private readonly closing = new AbortController();
  private started = false;
  private drained: Promise<void> | undefined;

  constructor(
    private readonly options: ResolvedServerOptions,
    streams: readonly ConsumedStream[],
    private readonly logger: LoggerService,
  ) {
    const { group, consumer, leaseMs, blockMs, keyPrefix } = options;
    const connections = new ServerConnections(options.connection, consumer, blockMs);
    const token = randomBytes(8).toString('hex');
    const ownPending = new OwnPending(group, consumer);
    const loneRuns = new LoneRuns(leaseMs);
    this.connections = connections;
    this.faults = new FaultLog(logger);
    const onFault = (error: unknown): void => this.faults.say(text.readFailed(errorText(error)));
    this.flows = streams.map(
      ({ stream, options: its, invoke }) =>
        new StreamFlow({
          stream,
          keys: streamKeys(keyPrefix, stream, group),
          options: its,
          group,
          consumer,
          token,
          leaseMs,
          client: connections.commands,
          codec: options.codecs.of(stream),
          invoke,
          counts: this.counts,
          loneRuns,
          logger,
          onRoom: (streamKey) => this.reader.roomIn(streamKey),
          signal: this.closing.signal,
        }),
    );
    this.reader = new StreamReader({
      connections,
      group,
      consumer,
      blockMs,
      flows: this.flows,
      ownPending,
      ensureGroups: () => this.ensureGroups(),
      onFault,
      onWorking: () => this.faults.over(),
    });
    this.due = new DueEntries(connections.commands, group, consumer, leaseMs, this.flows, onFault);
    const member = { client: connections.commands, group, consumer, flows: this.flows, onFault };
    this.heartbeat = new Heartbeat({ ...member, token, leaseMs });
    this.recovery = new Recovery({
      ...member,
      minIdleMs: leaseMs,
      intervalMs: options.recoveryIntervalMs,
      ensureGroups: () => this.ensureGroups(),
    });
    for (const flow of this.flows) ownPending.restart(flow);
  }

  get inFlight(): number {
    return this.flows.reduce((sum, { runningCount }) => sum + runningCount, 0);
  }

  /**
   * Connects, for as long as that takes, and begins to read.
   *
   * @throws ConnectionClosedError where it is closed meanwhile; UnsupportedServerError
   */
  async start(report: (status: RedisStreamsStatus) => void): Promise<void> {
    this.connections.open(this.logger, report);
    await this.connections.ready(this.closing.signal);
    await watchServer(this.connections.commands, this.logger, this.closing.signal);
    await this.ensureGroups();
    if (this.drained !== undefined) throw new ConnectionClosedError('its groups');
    this.started = true;
    if (this.flows.length === 0) return;
    this.reader.start();
    this.due.start();
    this.heartbeat.start();
    this.recovery.start();
  }

  /**
   * Stops reading, and lets what runs end; fulfilled once all of it is settled, or the time for it is over. Can be
   * called again, and gives the same promise.
   */
  drain(): Promise<void> {
    this.drained ??= this.endWork();
    return this.drained;
  }

  /** Drains where nobody has, and ends our connections. */
  async close(): Promise<void> {
    await this.drain();
    this.heartbeat.stop();
    this.closing.abort(new ConnectionClosedError('Redis'));
    this.connections.close();
  }

  private async endWork(): Promise<void> {
    if (!this.started) {
      this.closing.abort(new ConnectionClosedError('Redis'));
      return;
    }
    // Before all else: to end the reads can take as long as Redis is away.
    for (const flow of this.flows) flow.stop();
    const drained = Promise.all([this.reader.stop(), this.due.stop(), this.recovery.stop()])
      .then(() => Promise.all(this.flows.map((flow) => flow.drain())))
      .then(() => this.leaveGroups());
    if (await within(drained, this.options.drainTimeoutMs)) return;
    // A handler that ends because it was told to has an outcome too, and it is recorded like any other.
    const given = Promise.all(this.flows.map((flow) => flow.giveUp())).then(() => drained);
    await within(given, FINISH_MS);
  }

  /** A name that nobody will have again is of no use to its groups, once nothing is pending for it. */
  private async leaveGroups(): Promise<void> {
    const { group, consumer, consumerIsGenerated } = this.options;
    if (!consumerIsGenerated) return;
    const left = this.flows.map(({ keys }) =>
      removeConsumerScript.run(this.connections.commands, [keys.stream], [group, consumer, 0]),
    );
    // Redis may be away: a consumer without entries harms nobody.
    await Promise.allSettled(left);
  }

  private async ensureGroups(): Promise<void> {
    const { group } = this.options;
    await Promise.all(
      this.flows.map(async (flow) => {
        const { stream, keys, options, inHand } = flow;
        const begins = GROUP_BEGINS[options.startFrom] ?? options.startFrom;
        const { kind, after } = await ensureGroupScript.run(
          this.connections.commands,
          [keys.stream, keys.position, keys.madeBlindly],
          [group, begins, inHand.highestId, BLIND_MS],
        );
        if (kind === 'made') this.logger.log(text.groupMade(stream, group, after));
        if (kind === 'set-back') this.logger.warn(text.groupSetBack(stream, group, after));
        // Of a group that it found there, a member knows from then on where it stood.
        if (inHand.highestId === '') inHand.noteGiven(after);
      }),
    );
  }
}
