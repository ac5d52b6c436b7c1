import type {
  MessageEvent,
  MessageHistory,
  MessageState,
  WhichMessage,
} from './message-history.js';
import type { Unfinished } from './unfinished.js';

/** What may be waited for, and how it reads. */
export type Awaited = 'handled' | 'retried' | 'dead-lettered';

const AS_WORDS: Record<Awaited, string> = {
  handled: 'handled',
  retried: 'put off for another attempt',
  'dead-lettered': 'made a dead letter',
};

export const CONNECTION_NAME = 'nestjs-redis-streams:testing';
export const CALLED = 'testing';
export const CLOSED = 'this RedisStreamsTesting was closed';
export const NO_MODULE =
  'The app has no RedisStreamsModule, or one of another copy of this package (one as ES modules, one as CommonJS)';
export const NOT_TAKEN =
  'The app was made before RedisStreamsTesting could give it its own Redis and keyPrefix, so it is not started. Make it inside `{ app: () => … }`, or hand in a builder that was not compiled';

const quoted = (name: string): string => `"${name}"`;

/** A message as a test named it. */
function named(which: WhichMessage): string {
  const { messageId, stream, name } = typeof which === 'string' ? { messageId: which } : which;
  return [
    messageId === undefined ? 'a message' : `message ${messageId}`,
    ...(name === undefined || name === stream ? [] : [`of the name ${quoted(name)}`]),
    ...(stream === undefined ? [] : [`of stream ${quoted(stream)}`]),
  ].join(' ');
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export const notInTime = (
  which: WhichMessage,
  awaited: Awaited,
  timeoutMs: number,
  known: string,
): string =>
  `${capital(named(which))} was not ${AS_WORDS[awaited]} within ${timeoutMs} ms.\n${known}`;

export const never = (
  which: WhichMessage,
  awaited: Awaited,
  instead: string,
  known: string,
): string =>
  `${capital(named(which))} will not be ${AS_WORDS[awaited]}: it was ${instead}.\n${known}`;

export const notDrained = (timeoutMs: number, left: readonly Unfinished[]): string =>
  [`Not drained within ${timeoutMs} ms:`, ...left.map((its) => `  - ${unfinished(its)}`)].join(
    '\n',
  );

function unfinished({ stream, hasUnread, pending, retries }: Unfinished): string {
  const parts = [
    ...(hasUnread ? ['something unread'] : []),
    ...(pending > 0 ? [`${pending} pending`] : []),
    ...(retries > 0 ? [`${retries} waiting for another attempt`] : []),
  ];
  return `stream ${quoted(stream)}: ${parts.join(', ')}`;
}

/** All that is known of a message, a line each. */
export function knownOf({ events, state }: MessageHistory): string {
  return [
    'What this app said of it:',
    ...(events.length === 0 ? ['  - nothing'] : events.map((event) => `  - ${said(event)}`)),
    `In Redis: ${inRedis(state)}`,
  ].join('\n');
}

/** The same where no ID is known: what the app had to do with at all. */
export function knownOfAny(events: readonly MessageEvent[], last = 10): string {
  const lines = events
    .slice(-last)
    .map((event) => `  - ${event.stream} ${event.messageId ?? event.entryId}: ${said(event)}`);
  return ['What this app said last:', ...(lines.length === 0 ? ['  - nothing'] : lines)].join('\n');
}

export const NO_REDIS = 'Redis does not answer, so that the app cannot be tested';
export const unreachable = (reason: string): string => `Redis cannot be asked about it: ${reason}`;

function said(event: MessageEvent): string {
  switch (event.what) {
    case 'received':
      return `received as entry ${event.entryId}`;
    case 'duplicate':
      return 'found in the ledger, and not run';
    case 'handled':
      return `attempt ${event.attempt} handled it`;
    case 'unhandled':
      return `no handler wanted it (name ${quoted(event.name ?? '')})`;
    case 'failed':
      return `attempt ${event.attempt} failed: ${errorText(event.error)}`;
    case 'retried':
      return `put off for ${Math.round(event.delayMs)} ms`;
    case 'dead-lettered':
      return `made a dead letter after ${attempts(event.attempts)}: ${event.reason}`;
    case 'lost':
      return `lost (${event.why})`;
    case 'settled':
      return `recorded in Redis (${event.step})`;
  }
}

function inRedis(state: MessageState): string {
  switch (state.kind) {
    case 'unknown':
      return 'nothing of it: not published to a stream that this app reads, or gone';
    case 'delayed':
      return `to be published in ${state.dueInMs} ms`;
    case 'unread':
      return `entry ${state.entryId}, which the group was not given yet`;
    case 'pending':
      return `entry ${state.entryId}, pending with consumer ${state.consumer}, delivered ${state.deliveries} times, ${attempts(state.attemptsUsed)} used`;
    case 'retrying':
      return `entry ${state.entryId}, waiting for its next attempt in ${state.dueInMs} ms, ${attempts(state.attemptsUsed)} used`;
    case 'dead-letter':
      return `dead letter ${state.deadLetterId} after ${attempts(state.attempts)}${state.isRedriven ? ', redriven' : ''}: ${state.reason}`;
    case 'handled':
      return `in the ledger since ${state.handledAt.toISOString()}`;
    case 'acknowledged':
      return `entry ${state.entryId}, acknowledged, and not in the ledger`;
  }
}

const attempts = (count: number): string => `${count} attempt${count === 1 ? '' : 's'}`;
const errorText = (error: unknown): string =>
  error === undefined ? 'its handler settled it so' : String(error);
