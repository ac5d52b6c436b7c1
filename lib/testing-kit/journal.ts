import { onStreamsEvent, type RedisStreamsChannels } from '../events/channels.js';
import { onStreamsOperation } from '../events/operations.js';
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
  private readonly listeners = new Set<() => void>();
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
    return this.events.filter((event) => isMeant(event, which));
  }

  /** Calls back after each event. @returns ends it */
  whenNoted(callback: () => void): () => void {
    this.listeners.add(callback);
    return () => void this.listeners.delete(callback);
  }

  end(): void {
    for (const end of this.ends.splice(0)) end();
    this.listeners.clear();
  }

  private note(event: MessageEvent): void {
    if (event.consumer !== this.consumer) return;
    this.events.push(event);
    for (const callback of this.listeners) callback();
  }
}

/** Whether the event is about that message. */
function isMeant(event: MessageEvent, which: WhichMessage): boolean {
  const { messageId, stream, name } = typeof which === 'string' ? { messageId: which } : which;
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
