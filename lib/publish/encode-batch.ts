import { MessageEncodingError, MessageValidationError } from '../errors/message.errors.js';
import { RedisStreamsError } from '../errors/redis-streams.error.js';
import * as text from './client.messages.js';
import type { EncodedMessage } from './message-encoder.js';
import type { WhenValid } from './payload-check.js';

/** A batch that can be written, once its schemas are content with all of it. */
export interface EncodedBatch {
  readonly messages: readonly EncodedMessage[];
  readonly whenValid: WhenValid | undefined;
}

/** @throws MessageEncodingError, MessageValidationError with the index of the first item that is no message */
export function encodeBatch<Item>(
  stream: string,
  items: readonly Item[],
  encode: (item: Item, index: number) => EncodedMessage,
): EncodedBatch {
  if (!Array.isArray(items)) throw new MessageEncodingError(stream, text.NOT_A_LIST);
  const messages = eachItem(stream, items, (item: Item, index) => {
    // As with emit(), where Nest refuses it.
    const given: unknown = item;
    if (given == null) throw new Error(text.nothingToSend(given));
    return encode(item, index);
  });
  return { messages, whenValid: allValid(messages) };
}

/** Makes something of each item of a batch; what goes wrong says the item's place in it. */
export function eachItem<Item, Made>(
  stream: string,
  items: readonly Item[],
  make: (item: Item, index: number) => Made,
): Made[] {
  return items.map((item, index) => {
    try {
      return make(item, index);
    } catch (error) {
      throw itemError(stream, index, error);
    }
  });
}

/** The first error in the order of the items. */
function allValid(messages: readonly EncodedMessage[]): WhenValid | undefined {
  if (messages.every(({ whenValid }) => whenValid === undefined)) return undefined;
  return Promise.all(messages.map(({ whenValid }) => whenValid)).then((errors) => {
    const index = errors.findIndex((error) => error !== undefined);
    const error = errors[index];
    return error === undefined ? undefined : ofItem(index, error);
  });
}

/** What goes wrong with an item of a batch, with its place in it. */
function itemError(stream: string, index: number, error: unknown): Error {
  if (error instanceof MessageValidationError) return ofItem(index, error);
  if (error instanceof MessageEncodingError) {
    const { reason, cause } = error;
    return new MessageEncodingError(
      error.stream,
      reason,
      cause === undefined ? { index } : { index, cause },
    );
  }
  // What is wrong with the stream is not the item's fault.
  if (error instanceof RedisStreamsError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new MessageEncodingError(stream, reason, { index, cause: error });
}

function ofItem(index: number, error: MessageValidationError): MessageValidationError {
  const { stream, reason, issues, cause } = error;
  return new MessageValidationError(
    stream,
    reason,
    cause === undefined ? { index, issues } : { index, issues, cause },
  );
}
