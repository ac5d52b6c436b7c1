import type { InspectedServer, StreamInspection } from '../../monitor/streams-inspection.js';
import type { RedisStreamsHealthLimits } from './health-limits.js';
import * as text from './health.messages.js';

/** What is wrong with Redis itself. */
export function serverProblems({ maxmemoryPolicy, role }: InspectedServer): string[] {
  const problems: string[] = [];
  if (role === 'replica') problems.push(text.IS_REPLICA);
  if (maxmemoryPolicy !== undefined && maxmemoryPolicy !== 'noeviction') {
    problems.push(text.mayEvict(maxmemoryPolicy));
  }
  return problems;
}

/** What is wrong with a stream and its group, by the limits that are set. What is not known is not wrong. */
export function streamProblems(its: StreamInspection, limits: RedisStreamsHealthLimits): string[] {
  const { stream, group, lag, deadLetters, oldestPendingAgeMs = 0, retentionHeadroom = 1 } = its;
  if (!its.groupExists) return [text.groupMissing(stream, group)];
  const {
    maxPendingAgeMs = Infinity,
    maxLag = Infinity,
    maxDeadLetters = Infinity,
    minRetentionHeadroom = 0,
  } = limits;
  const problems: string[] = [];
  if (oldestPendingAgeMs > maxPendingAgeMs) {
    problems.push(text.pendingTooOld(stream, oldestPendingAgeMs, maxPendingAgeMs));
  }
  if (lag !== undefined && lag > maxLag) problems.push(text.tooFarBehind(stream, lag, maxLag));
  if (deadLetters.count > maxDeadLetters) {
    problems.push(text.tooManyDeadLetters(stream, deadLetters.count, maxDeadLetters));
  }
  if (retentionHeadroom < minRetentionHeadroom) {
    problems.push(text.nearRetention(stream, retentionHeadroom, minRetentionHeadroom));
  }
  return problems;
}
