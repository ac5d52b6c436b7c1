import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  DeadLetters,
  JsonCodec,
  type DeadLetter,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { type LogLine, recordedLog } from '../support/recorded-log.js';
import { waitFor } from '../support/wait-for.js';
import { plainly } from './address.js';
import { type Arrival, emitted, type PublishedTo } from './arrivals.js';
import type { Body } from './payload.js';
import type { DoomedMembers, HandledBefore } from './doomed-members.js';
import { GroupInRedis } from './group-in-redis.js';
import { type Member, secondStreamOf, startMember, streamOptionsOf } from './member.js';
import { type Mode, promisesOf, type Promises } from './mode.js';
import type { Overview, Overviews } from './overviews.js';
import { Runs, type Work } from './runs.js';
import type { Servers } from './servers.js';

/** What a cell works with. */
export interface CellTools {
  readonly servers: Servers;
  readonly doomedMembers: DoomedMembers;
  readonly overviews: Overviews;
  /** How many messages a backlog has. */
  readonly backlog: number;
  /** How often a member is stopped and started. */
  readonly restarts: number;
}

/** Tests wait for what happens; this limit is for what never does. */
const PATIENCE_MS = 120_000;
const LONG = { publishTimeoutMs: PATIENCE_MS, requestTimeoutMs: 2 * PATIENCE_MS };
/** All members set how many attempts there are, also those whose mode tries once. */
const TRIES_ONCE = /retry\.maxAttempts: \d has no effect/;
/** Many wait at the same time. */
const POLL_MS = 40;

/** A mode and a behaviour: a stream, a group and a client of its own, and everything observed about them. */
export class Cell implements PublishedTo {
  readonly stream = freshName('stream');
  readonly group = freshName('group');
  readonly promises: Promises;
  readonly inRedis: GroupInRedis;
  readonly client: ClientRedisStreams;
  readonly deadLetters: DeadLetters;
  readonly runs = new Runs();
  readonly replies = new Map<number, unknown>();
  private readonly arrival: Arrival;
  private readonly members = new Set<Member>();
  private readonly ends: (() => void)[] = [];
  private readonly expected: RegExp[] = [TRIES_ONCE];
  private readonly logFrom = recordedLog.lines.length;
  /** How many messages were published to the second stream, if the mode has one. */
  onSecondStream = 0;

  constructor(
    readonly mode: Mode,
    readonly tools: CellTools,
  ) {
    const { stream, group } = this;
    const { keyPrefix = '', partitions } = mode;
    const codec = mode.codec?.() ?? new JsonCodec();
    const { address, client: redis } = tools.servers;
    this.arrival = mode.arrival ?? emitted;
    this.promises = promisesOf(mode);
    this.inRedis = new GroupInRedis({ redis, stream, group, keyPrefix, partitions, codec });
    const { connection, end } = (mode.connect ?? plainly)(address);
    if (end !== undefined) this.ends.push(end);
    const options = { connection, keyPrefix, streams: streamOptionsOf(mode, stream) };
    this.client = new ClientRedisStreams({ ...options, ...LONG });
    this.deadLetters = new DeadLetters({ ...options, group });
  }

  get partitions(): number | undefined {
    return this.mode.partitions;
  }

  /** Publishes as the mode says. */
  async publish(all: readonly Body[]): Promise<void> {
    if (this.mode.secondStream) {
      await firstValueFrom(this.client.emitBatch(secondStreamOf(this.stream), [...all]));
      this.onSecondStream += all.length;
    }
    await this.arrival.publish(this, all);
  }

  /** Deletes a waiting message. */
  remove(n: number): Promise<void> {
    return this.arrival.remove(this, n);
  }

  /** Starts a member whose handler does `work`. */
  async member(
    work: Work = () => undefined,
    more: SubscriptionOptions = {},
    address = this.tools.servers.address,
  ): Promise<Member> {
    const place = { address, stream: this.stream, group: this.group };
    const member = await startMember(this.mode, place, this.runs.recording(work), more);
    this.members.add(member);
    return member;
  }

  /** Runs a member in another process, and kills it in the handler of message 0. */
  killMember(): Promise<HandledBefore> {
    const { stream, group, mode, tools } = this;
    const { address } = tools.servers;
    return tools.doomedMembers.kill({ mode: mode.name, address, stream, group });
  }

  /** What the command line reports about the group: a row for each place. */
  async overview(): Promise<Overview[]> {
    const { direct } = this.tools.servers;
    const rows = await this.tools.overviews.of(direct, this.mode.keyPrefix ?? '');
    const { places } = this.inRedis;
    return rows.filter((row) => row.group === this.group && places.includes(row.stream));
  }

  listDeadLetters(): Promise<DeadLetter[]> {
    return this.deadLetters.list({ stream: this.stream });
  }

  until(description: string, condition: () => unknown): Promise<unknown> {
    const timeoutMs = PATIENCE_MS + 2 * this.promises.leaseMs;
    return waitFor(condition, { timeoutMs, pollMs: POLL_MS, description });
  }

  /** Waits until this many messages were handled. */
  async untilHandled(count: number): Promise<void> {
    await this.until(`${count} handled`, () => {
      const { size } = this.runs.handled;
      if (size < count) throw new Error(`${size} of ${count} are handled`);
      return true;
    });
  }

  /** Lines that may be logged. */
  expectLog(...expected: RegExp[]): void {
    this.expected.push(...expected);
  }

  /** Closes everything that it has opened. */
  async end(): Promise<void> {
    await Promise.all([...this.members].map((member) => member.close()));
    await this.client.close();
    this.deadLetters.close();
    for (const end of this.ends) end();
  }

  /** Unexpected warnings and errors that were logged about it. */
  get unexpectedLog(): LogLine[] {
    return recordedLog.lines
      .slice(this.logFrom)
      .filter(({ level, text }) => (level === 'error' || level === 'warn') && this.isAbout(text))
      .filter(({ text }) => !this.expected.some((expected) => expected.test(text)));
  }

  /** Its state, for whoever looks for a fault. */
  async describe(): Promise<string> {
    const records = await this.inRedis.records().catch(String);
    const unfinished = this.runs.all.filter(({ outcome }) => outcome === 'running');
    const members = [...this.members].map(({ consumer, monitor }) => {
      const { inFlight, counts, partitions } = monitor.getStats();
      return { consumer, inFlight, counts, owned: partitions.map(({ owned }) => owned) };
    });
    const { stream, group } = this;
    return JSON.stringify({ stream, group, records, unfinished, members }, undefined, 1);
  }

  isAbout(line: string): boolean {
    return line.includes(this.stream) || line.includes(this.group);
  }
}
