import type { Message } from './message.js';

/** Something that may keep messages from starting. */
export interface Gate {
  isOpenFor(message: Message): boolean;
  /** Resolves when it is worth asking again. */
  opened(): Promise<void>;
  started(message: Message, handlerTimeoutMs: number | undefined): void;
  ended(message: Message): void;
}
