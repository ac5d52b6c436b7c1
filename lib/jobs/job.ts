import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { JobFailedError } from '../errors/redis.errors.js';
import type { ResolvedServerOptions, ResolvedSubscription } from '../options/resolved-options.js';
import {
  keepJobScript,
  releaseJobScript,
  takeJobScript,
} from '../redis/scripts/admin/job-right.script.js';
import { cleanCause, errorText } from '../redis/server/redis-errors.js';
import { placesOf } from '../wire/partitions.js';

/** The result of a job's run. */
export interface JobResult {
  /** How many things it removed; 0 if another instance was running it. */
  readonly removed: number;
}

/** What the jobs work with. */
export interface JobContext {
  readonly options: ResolvedServerOptions;
  /** What is subscribed to when the job runs. */
  readonly subscriptions: () => readonly {
    readonly stream: string;
    readonly options: ResolvedSubscription;
  }[];
  /** The wildcards that handlers subscribe to. */
  readonly wildcards: () => readonly string[];
  /**
   * What the handlers that match a stream set for it.
   *
   * @throws InvalidOptionsError if they disagree
   */
  readonly optionsOf: (stream: string) => ResolvedSubscription;
  /** A connection for commands, once it is ready. */
  readonly connection: () => Promise<Redis>;
}

/** A stream in Redis, which may be a partition, and the options that a job has for it. */
type JobStream<Options> = readonly [stream: string, options: Options];

/** The streams in Redis behind these names: a job treats partitions like other streams. */
export const inPartitions = <Options>(
  { options: { partitions } }: JobContext,
  streams: Iterable<JobStream<Options>>,
): JobStream<Options>[] =>
  [...streams].flatMap(([stream, options]) =>
    placesOf(stream, partitions.get(stream)).map((place) => [place, options] as const),
  );

/** The streams in Redis behind all subscriptions. */
export const subscribedStreams = (context: JobContext): JobStream<ResolvedSubscription>[] =>
  inPartitions(
    context,
    context.subscriptions().map(({ stream, options }) => [stream, options] as const),
  );

/**
 * Does a job's work for one stream after the other. If it fails for one, it continues with the next.
 *
 * @param work returns how many things it removed, or undefined if another instance is running the job
 * @throws JobFailedError at the end, if it failed for some
 */
export async function forEachStream<Options>(
  streams: Iterable<JobStream<Options>>,
  work: (stream: string, options: Options) => Promise<number | undefined>,
): Promise<JobResult> {
  let removed = 0;
  const failures = new Map<string, unknown>();
  for (const [stream, options] of streams) {
    try {
      removed += (await work(stream, options)) ?? 0;
    } catch (error) {
      failures.set(stream, error);
    }
  }
  const [first] = failures.values();
  if (first === undefined) return { removed };
  throw new JobFailedError([...failures.keys()], removed, errorText(first), {
    cause: cleanCause(first),
  });
}

/** How long the lock outlives an owner that dies. Two instances that run a job at once do no harm. */
const EXPIRES_MS = 60_000;

/**
 * Runs `work` unless another instance holds its lock.
 *
 * @param work gets a function that extends the lock, for work that takes long
 * @returns the result of `work`, or `undefined` if another instance holds the lock
 */
export async function withJobLock<Result>(
  client: Redis,
  key: string,
  work: (extend: () => Promise<unknown>) => Promise<Result>,
): Promise<Result | undefined> {
  const token = randomUUID();
  if (!(await takeJobScript.run(client, [key], [token, EXPIRES_MS]))) return undefined;
  try {
    return await work(() => keepJobScript.run(client, [key], [token, EXPIRES_MS]));
  } finally {
    await releaseJobScript.run(client, [key], [token]);
  }
}
