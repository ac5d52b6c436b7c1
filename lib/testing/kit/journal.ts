import { onStreamsEvent, type RedisStreamsChannels } from '../../events/channels.js';
import { onStreamsOperation } from '../../events/operations.js';
import type { MessageEvent, WhichMessage } from './message-history.js';

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

/** The events of one consumer's messages, in order. The consumer's name is unique in this process. */
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
    if (noted.consumer !== this.consumer) return;
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
export function isSettled(events: readonly MessageEvent[], index: number): boolean {
  const event = events[index];
  return events
    .slice(index)
    .some(
      ({ what, stream, entryId }) =>
        what === 'settled' && stream === event?.stream && entryId === event.entryId,
    );
}
