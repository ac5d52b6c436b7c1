import type { Redis } from 'ioredis';

/** Redis's time, in ms. */
export async function redisTimeMs(client: Redis): Promise<number> {
  const [seconds, micros] = await client.time();
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

/** Estimates Redis's time without asking: from its last answer, and the monotonic time since then. */
export class RedisClock {
  private aheadMs: number | undefined;

  /**
   * @param monotonicMs a time of `performance.now()`
   * @returns Redis's time at that moment, in ms, or undefined if Redis has not answered yet
   */
  at(monotonicMs: number): number | undefined {
    return this.aheadMs === undefined ? undefined : monotonicMs + this.aheadMs;
  }

  /** Asks after each reconnect, in the background. */
  follow(client: Redis, signal: AbortSignal): void {
    const ask = (): void => void this.ask(client).catch(() => undefined);
    client.on('ready', ask);
    signal.addEventListener('abort', () => client.off('ready', ask), { once: true });
    if (client.status === 'ready') ask();
  }

  private async ask(client: Redis): Promise<void> {
    const { redisMs, sentAt, answeredAt } = await readClock(client);
    // Redis most likely read its clock halfway through the round trip.
    this.aheadMs = redisMs - (sentAt + answeredAt) / 2;
  }
}

/** How much two readings may differ without anybody having moved the clock, in ms. */
const TOLERANCE_MS = 1_000;

/** What a clock of Redis showed in an answer. */
export interface ClockReading {
  readonly redisMs: number;
  /** When the question was sent, and when the answer arrived, by `performance.now()`. */
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** Reads Redis's clock. */
export async function readClock(client: Redis): Promise<ClockReading> {
  const sentAt = performance.now();
  const redisMs = await redisTimeMs(client);
  return { redisMs, sentAt, answeredAt: performance.now() };
}

/** Notices when Redis's clock is moved: between two answers it must advance as the monotonic clock of this process does. */
export class ClockWatch {
  /** @param last the latest reading, if there is one */
  constructor(private last?: ClockReading) {}

  /** @returns by how much the clock was moved since the last reading, in ms: negative if it was moved back, 0 if it was not */
  movedMs(reading: ClockReading): number {
    const { last } = this;
    this.last = reading;
    if (last === undefined) return 0;
    // How far Redis's clock was ahead of ours at the least and at the most: it was read at some time while we waited.
    const forwardMs = reading.redisMs - reading.answeredAt - (last.redisMs - last.sentAt);
    const backMs = last.redisMs - last.answeredAt - (reading.redisMs - reading.sentAt);
    if (forwardMs > TOLERANCE_MS) return forwardMs;
    return backMs > TOLERANCE_MS ? -backMs : 0;
  }
}

/** A moment by two local clocks: nobody sets the monotonic one, and the wall clock runs on while the machine sleeps. */
export interface LocalMoment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export const localNow = (): LocalMoment => ({
  monotonicMs: performance.now(),
  wallMs: Date.now(),
});

/**
 * The time since a moment, by whichever clock shows more.
 *
 * @param monotonicMs the current `performance.now()`, if the caller has just read it
 */
export const elapsedMs = (since: LocalMoment, monotonicMs = performance.now()): number =>
  Math.max(monotonicMs - since.monotonicMs, Date.now() - since.wallMs);

/** Redis's clock: asked now and then, and extrapolated in between. */
export class RequestClock {
  private lastRead: { readonly ms: number; readonly at: LocalMoment } | undefined;

  constructor(private readonly client: Redis) {}

  /** Asks Redis. */
  async read(): Promise<void> {
    this.lastRead = { ms: await redisTimeMs(this.client), at: localNow() };
  }

  /** Redis's time now, in ms; late by the time that an answer takes, at most. 0 before the first `read()`. */
  now(): number {
    return this.lastRead === undefined ? 0 : this.lastRead.ms + elapsedMs(this.lastRead.at);
  }
}
