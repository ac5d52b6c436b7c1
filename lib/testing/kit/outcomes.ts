import { type Journal, isSettled } from './journal.js';
import type { MessageEvent, MessageHistory, WhichMessage } from './message-history.js';
import { StreamsTestingError } from './streams-testing.error.js';
import * as text from './testing-kit.messages.js';

/** An event that says what was waited for. */
export type EventOf<What extends text.Awaited> = Extract<MessageEvent, { what: What }>;

/** What a message comes to where it comes to no other. */
const ENDS: ReadonlySet<string> = new Set(['handled', 'unhandled', 'dead-lettered', 'lost']);

export interface Sought<What extends text.Awaited> {
  readonly which: WhichMessage;
  readonly what: What;
  /** Which attempt has to have come to it; any where it is left out. */
  readonly attempt: number | undefined;
}

/**
 * The event that is waited for, once Redis has what it says.
 *
 * @throws StreamsTestingError where the message came to another end
 */
export async function outcomeOf<What extends text.Awaited>(
  journal: Journal,
  { which, what, attempt }: Sought<What>,
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
  const messageId = idOf(which);
  const at = events.map((event) => ENDS.has(event.what)).lastIndexOf(true);
  const end = events[at];
  if (messageId === undefined || end === undefined || !isOver(events, at)) return undefined;
  const history = await historyOf(messageId);
  // A redrive gives it another chance: it waits, it runs, or it has ended since.
  const { state } = history;
  const isDead = state.kind === 'dead-letter' && !state.isRedriven;
  if (end.what === 'dead-lettered' && !isDead) return undefined;
  throw new StreamsTestingError(text.never(which, what, end.what, text.knownOf(history)), history);
}

/** What was lost is recorded nowhere. */
const isOver = (events: readonly MessageEvent[], at: number): boolean =>
  events[at]?.what === 'lost' || isSettled(events, at);

/** The message ID, where the test named one. */
export const idOf = (which: WhichMessage): string | undefined =>
  typeof which === 'string' ? which : which.messageId;
