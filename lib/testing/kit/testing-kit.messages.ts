import type {
  MessageEvent,
  MessageHistory,
  MessageState,
  WhichMessage,
} from './message-history.js';
import type { Unfinished } from './app-in-redis.js';

/** The outcomes that a test can wait for. */
export type Outcome = 'handled' | 'retried' | 'dead-lettered';

const AS_WORDS: Record<Outcome, string> = {
  handled: 'handled',
  retried: 'scheduled for another attempt',
  'dead-lettered': 'dead-lettered',
};

export const CLOSED = 'this RedisStreamsTesting was closed';
export const NO_MODULE =
  'The app has no RedisStreamsModule, or one of another copy of this package (one as ES modules, one as CommonJS)';
export const NOT_TAKEN =
  'The app was made before RedisStreamsTesting could give it its own Redis and keyPrefix, so it is not started. Create it inside `{ app: () => … }`, or pass a builder that was not compiled';

export const SEVERAL_INSTANCES =
  'The app has several instances of RedisStreamsModule, and a microservice without HTTP has one server. Pass { app: () => NestFactory.create(AppModule) }: its servers can all listen';
export const noInstance = (name: string | undefined): string =>
  name === undefined
    ? NO_MODULE
    : `The app has no RedisStreamsModule with the name ${quoted(name)}`;

const quoted = (name: string): string => `"${name}"`;

/** A message as the test identified it. */
function named(which: WhichMessage): string {
  const { messageId, stream, name } = typeof which === 'string' ? { messageId: which } : which;
  return [
    messageId === undefined ? 'a message' : `message ${messageId}`,
    ...(name === undefined || name === stream ? [] : [`with the name ${quoted(name)}`]),
    ...(stream === undefined ? [] : [`of stream ${quoted(stream)}`]),
  ].join(' ');
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export const notInTime = (
  which: WhichMessage,
  awaited: Outcome,
  timeoutMs: number,
  known: string,
): string =>
  `${capital(named(which))} was not ${AS_WORDS[awaited]} within ${timeoutMs} ms.\n${known}`;

export const never = (
  which: WhichMessage,
  awaited: Outcome,
  instead: string,
  known: string,
): string =>
  `${capital(named(which))} will not be ${AS_WORDS[awaited]}: it was ${instead}.\n${known}`;

export const notDrained = (timeoutMs: number, left: readonly Unfinished[]): string =>
  [
    `Not drained within ${timeoutMs} ms:`,
    ...left.map((stream) => `  - ${unfinished(stream)}`),
  ].join('\n');

function unfinished({ stream, hasUnread, pending, retries }: Unfinished): string {
  const parts = [
    ...(hasUnread ? ['unread entries'] : []),
    ...(pending > 0 ? [`${pending} pending`] : []),
    ...(retries > 0 ? [`${retries} waiting for another attempt`] : []),
  ];
  return `stream ${quoted(stream)}: ${parts.join(', ')}`;
}

/** Everything that is known about a message, a line each. */
export function knownOf({ events, state }: MessageHistory): string {
  return [
    'What happened to it in this app:',
    ...(events.length === 0 ? ['  - nothing'] : events.map((event) => `  - ${eventText(event)}`)),
    `In Redis: ${stateText(state)}`,
  ].join('\n');
}

/** What is known if the test gave no message ID: the last events of all messages. */
export function knownOfAny(events: readonly MessageEvent[], last = 10): string {
  const lines = events
    .slice(-last)
    .map((event) => `  - ${event.stream} ${event.messageId ?? event.entryId}: ${eventText(event)}`);
  return [
    'What happened last in this app:',
    ...(lines.length === 0 ? ['  - nothing'] : lines),
  ].join('\n');
}

export const NO_REDIS = 'Redis does not answer, so the app cannot be tested';
export const unreachable = (reason: string): string =>
  `Its state in Redis cannot be read: ${reason}`;

function eventText(event: MessageEvent): string {
  switch (event.what) {
    case 'received':
      return `received as entry ${event.entryId}`;
    case 'duplicate':
      return 'found in the ledger, and not run';
    case 'handled':
      return `attempt ${event.attempt} handled it`;
    case 'unhandled':
      return `no handler matched it (name ${quoted(event.name ?? '')})`;
    case 'failed':
      return `attempt ${event.attempt} failed: ${errorText(event.error)}`;
    case 'retried':
      return `next attempt in ${Math.round(event.delayMs)} ms`;
    case 'dead-lettered':
      return `dead-lettered after ${attempts(event.attempts)}: ${event.reason}`;
    case 'lost':
      return `lost (${event.why})`;
    case 'settled':
      return `recorded in Redis (${event.step})`;
  }
}

function stateText(state: MessageState): string {
  switch (state.kind) {
    case 'unknown':
      return 'nothing of it: it was not published to a stream that this app reads, or is gone';
    case 'delayed':
      return `to be published in ${state.dueInMs} ms`;
    case 'unread':
      return `entry ${state.entryId}, which is not yet delivered to the group`;
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
  error === undefined ? 'its handler settled it this way' : String(error);
