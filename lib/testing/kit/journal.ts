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

/** What one consumer said of its messages, in order. Its name is that of no other app in this process. */
export class Journal {
  readonly events: MessageEvent[] = [];
  /** Tests wait for many messages at once: none is looked for among those of all others. */
  private readonly byId = new Map<string, MessageEvent[]>();
  private readonly listeners = new Set<{ which: WhichMessage; callback: () => void }>();
  private readonly ends: (() => void)[];

  constructor(private readonly consumer: string) {
    this.ends = WATCHED.map((what) =>
      onStreamsEvent(`${PREFIX}${what}` as keyof RedisStreamsChannels, (event) =>
        this.note({ ...event, what } as MessageEvent),
      ),
    );
    const end = onStreamsOperation('nestjs-redis-streams:settle', {
      asyncEnd: ({ messages, stream, group, step, ...rest }) => {
        // It is tried again.
        if ('error' in rest && rest.error !== undefined) return;
        for (const { entryId, messageId, name } of messages) {
          const about = { stream, group, consumer: rest.consumer, entryId, messageId, name };
          this.note({ what: 'settled', step, ...about });
        }
      },
    });
    this.ends.push(end);
  }

  of(which: WhichMessage): MessageEvent[] {
    const { messageId } = asParts(which);
    const events = messageId === undefined ? this.events : (this.byId.get(messageId) ?? []);
    return events.filter((event) => isMeant(event, which));
  }

  /** Calls back after each event about such a message. @returns ends it */
  whenNoted(which: WhichMessage, callback: () => void): () => void {
    const listener = { which, callback };
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  end(): void {
    for (const end of this.ends.splice(0)) end();
    this.listeners.clear();
  }

  private note(told: MessageEvent): void {
    if (told.consumer !== this.consumer) return;
    const event = this.withMessageId(told);
    this.events.push(event);
    const { messageId } = event;
    if (messageId !== undefined) {
      const its = this.byId.get(messageId) ?? [];
      its.push(event);
      this.byId.set(messageId, its);
    }
    for (const { which, callback } of this.listeners) if (isMeant(event, which)) callback();
  }

  /** Of an entry that was deleted only its own ID is known; what was said of it before knows more. */
  private withMessageId(event: MessageEvent): MessageEvent {
    if (event.what !== 'lost' || event.messageId !== undefined) return event;
    const { stream, entryId } = event;
    const before = this.events.find((its) => its.stream === stream && its.entryId === entryId);
    return { ...event, messageId: before?.messageId };
  }
}

const asParts = (which: WhichMessage): Exclude<WhichMessage, string> =>
  typeof which === 'string' ? { messageId: which } : which;

/** Whether the event is about that message. */
function isMeant(event: MessageEvent, which: WhichMessage): boolean {
  const { messageId, stream, name } = asParts(which);
  return (
    (messageId === undefined || event.messageId === messageId) &&
    (stream === undefined || event.stream === stream) &&
    (name === undefined || event.name === name)
  );
}

/** Whether what `events[index]` says is recorded in Redis. */
export function isSettled(events: readonly MessageEvent[], index: number): boolean {
  const its = events[index];
  return events
    .slice(index)
    .some(
      ({ what, stream, entryId }) =>
        what === 'settled' && stream === its?.stream && entryId === its.entryId,
    );
}
