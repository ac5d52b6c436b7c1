import { onStreamsEvent, type RedisStreamsChannels } from '../../events/channels.js';
import { onStreamsOperation } from '../../events/operations.js';
import {
  type MessageEvent,
  type MessageHistory,
  messageIdOf,
  StreamsTestingError,
  type WhichMessage,
} from './message-history.js';
import * as text from './testing-kit.messages.js';

const PREFIX = 'nestjs-redis-streams:message:';
const WATCHED = [
  'received',
  'duplicate',
  'handled',
  'unhandled',
  'failed',
  'retried',
  'dead-lettered',
  'lost',
] as const satisfies MessageEvent['what'][];

/**
 * The events of one app's messages, in order. The name of its server's consumer is unique in this process, and those of its loops
 * begin with it.
 */
export class Journal {
  readonly events: MessageEvent[] = [];
  /** By message ID, since tests wait for many messages at once. */
  private readonly byId = new Map<string, MessageEvent[]>();
  private readonly listeners = new Set<{ which: WhichMessage; callback: () => void }>();
  private readonly subscriptions: (() => void)[];

  constructor(private readonly consumer: string) {
    this.subscriptions = WATCHED.map((what) =>
      onStreamsEvent(`${PREFIX}${what}` as keyof RedisStreamsChannels, (event) =>
        this.note({ ...event, what } as MessageEvent),
      ),
    );
    const settled = onStreamsOperation('nestjs-redis-streams:settle', {
      asyncEnd: ({ messages, stream, group, step, ...rest }) => {
        // Settling is tried again.
        if ('error' in rest && rest.error !== undefined) return;
        for (const { entryId, messageId, name } of messages) {
          const about = { stream, group, consumer: rest.consumer, entryId, messageId, name };
          this.note({ what: 'settled', step, ...about });
        }
      },
    });
    this.subscriptions.push(settled);
  }

  of(which: WhichMessage): MessageEvent[] {
    const { messageId, entryId } = asObject(which);
    if (messageId === undefined) return this.events.filter((event) => isAbout(event, which));
    const ids = [...new Set([messageId, entryId ?? messageId])];
    const events = ids.flatMap((id) => this.byId.get(id) ?? []);
    return events.filter((event) => isAbout(event, which));
  }

  /** Calls back after each event of such a message. @returns stops it */
  whenNoted(which: WhichMessage, callback: () => void): () => void {
    const listener = { which, callback };
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  end(): void {
    for (const unsubscribe of this.subscriptions.splice(0)) unsubscribe();
    this.listeners.clear();
  }

  private note(noted: MessageEvent): void {
    if (!noted.consumer.startsWith(this.consumer)) return;
    const event = this.withMessageId(noted);
    this.events.push(event);
    const { messageId } = event;
    if (messageId !== undefined) {
      const events = this.byId.get(messageId) ?? [];
      events.push(event);
      this.byId.set(messageId, events);
    }
    for (const { which, callback } of this.listeners) if (isAbout(event, which)) callback();
  }

  /** For a deleted entry only the entry ID is known; an earlier event may have the message ID. */
  private withMessageId(event: MessageEvent): MessageEvent {
    if (event.what !== 'lost' || event.messageId !== undefined) return event;
    const { stream, entryId } = event;
    const before = this.events.find(
      (other) => other.stream === stream && other.entryId === entryId,
    );
    return { ...event, messageId: before?.messageId };
  }
}

const asObject = (which: WhichMessage): Exclude<WhichMessage, string> =>
  typeof which === 'string' ? { messageId: which } : which;

/** Whether an event is about this message. */
function isAbout(event: MessageEvent, which: WhichMessage): boolean {
  const { messageId, stream, name, entryId } = asObject(which);
  // Without an ID of its own, a message has that of its entry.
  const hasItsId = event.messageId === messageId || (entryId ?? '') === event.messageId;
  return (
    (messageId === undefined || hasItsId) &&
    (stream === undefined || event.stream === stream) &&
    (name === undefined || event.name === name)
  );
}

/** Whether the outcome of `events[index]` is recorded in Redis. */
function isSettled(events: readonly MessageEvent[], index: number): boolean {
  const event = events[index];
  return events
    .slice(index)
    .some(
      ({ what, stream, entryId }) =>
        what === 'settled' && stream === event?.stream && entryId === event.entryId,
    );
}

/** How often to check for what no event reports. */
const CHECK_AGAIN_MS = 200;

/** What to wait for. */
interface Wait<Result> {
  /** Returns the result once there is one; throws if there never will be. */
  readonly check: () => Result | undefined | Promise<Result | undefined>;
  readonly timeoutMs: number;
  /** Calls back when there may be a result. @returns stops it */
  readonly whenChanged: (callback: () => void) => () => void;
  readonly closed: AbortSignal;
  /** The error if the time is over. */
  readonly tooLate: () => Promise<Error>;
}

/** Checks now, after each change, and at intervals for what no event reports; one check at a time. */
export async function waitFor<Result>(wait: Wait<Result>): Promise<Result> {
  const { check, timeoutMs, whenChanged, closed, tooLate } = wait;
  const until = performance.now() + timeoutMs;
  let wake: () => void = () => undefined;
  let hasChanged = false;
  const change = (): void => {
    hasChanged = true;
    wake();
  };
  const stop = whenChanged(change);
  closed.addEventListener('abort', change, { once: true });
  try {
    for (;;) {
      hasChanged = false;
      const result = await check();
      if (result !== undefined) return result;
      if (closed.aborted) throw new StreamsTestingError(text.CLOSED);
      const leftMs = until - performance.now();
      if (leftMs <= 0) throw await tooLate();
      if (hasChanged) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, CHECK_AGAIN_MS));
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    stop();
    closed.removeEventListener('abort', change);
  }
}

/** The event of an outcome. */
export type EventOf<What extends text.Outcome> = Extract<MessageEvent, { what: What }>;

/** The final outcomes of a message. */
const FINAL: ReadonlySet<string> = new Set(['handled', 'unhandled', 'dead-lettered', 'lost']);

/** An outcome that a test waits for. */
export interface Awaited<What extends text.Outcome> {
  readonly which: WhichMessage;
  readonly what: What;
  /** The attempt that must have this outcome; any if undefined. */
  readonly attempt: number | undefined;
}

/**
 * The event of the outcome, once the outcome is recorded in Redis.
 *
 * @throws StreamsTestingError if the message had another final outcome
 */
export async function outcomeOf<What extends text.Outcome>(
  journal: Journal,
  { which, what, attempt }: Awaited<What>,
  historyOf: (messageId: string) => Promise<MessageHistory>,
): Promise<EventOf<What> | undefined> {
  const events = journal.of(which);
  const found = events.find(
    (event, index): event is EventOf<What> =>
      event.what === what &&
      (attempt === undefined || ('attempt' in event && event.attempt === attempt)) &&
      isSettled(events, index),
  );
  if (found !== undefined) return found;
  const messageId = messageIdOf(which);
  const at = events.map((event) => FINAL.has(event.what)).lastIndexOf(true);
  const last = events[at];
  if (messageId === undefined || last === undefined || !isRecorded(events, at)) return undefined;
  const history = await historyOf(messageId);
  // A dead letter that was redriven has another chance: it waits, it runs, or it has ended since.
  const { state } = history;
  const isDead = state.kind === 'dead-letter' && !state.isRedriven;
  if (last.what === 'dead-lettered' && !isDead) return undefined;
  throw new StreamsTestingError(text.never(which, what, last.what, text.knownOf(history)), history);
}

/** A lost message is recorded nowhere. */
const isRecorded = (events: readonly MessageEvent[], at: number): boolean =>
  events[at]?.what === 'lost' || isSettled(events, at);
