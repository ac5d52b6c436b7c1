import { JobFailedError } from '../errors/redis.errors.js';
import { cleanCause, errorText } from '../redis/server/redis-errors.js';
import type { JobResult } from './job.js';

/**
 * Does a job's work for one stream after the other. One that fails does not keep the others from it.
 *
 * @param streams each with what the work needs to know of it
 * @param work gives how many things it removed; nothing where another instance is at it
 * @throws JobFailedError at the end, where it failed for some
 */
export async function inEachStream<Its>(
  streams: Iterable<readonly [stream: string, its: Its]>,
  work: (stream: string, its: Its) => Promise<number | undefined>,
): Promise<JobResult> {
  let removed = 0;
  const failures = new Map<string, unknown>();
  for (const [stream, its] of streams) {
    try {
      removed += (await work(stream, its)) ?? 0;
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
