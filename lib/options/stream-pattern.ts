import { checkOptions } from './check-options.js';
import { schemas } from './options.schema.js';

/** A pattern that says more than a stream's name: `{ stream: 'orders', name: 'order.created' }`. */
export interface StreamPattern {
  /** The stream's name, without `keyPrefix`. */
  stream: string;
  /**
   * What kind of message: a handler gets no others, and what is published is of it.
   *
   * @default none: a handler gets all of the stream, and what is published has the stream's name
   */
  name?: string;
}

/**
 * What a pattern says: text is the name of a stream.
 *
 * @returns nothing where it is not ours: a number, or an object without `stream`
 * @throws InvalidOptionsError where an object with `stream` has something unknown or wrong in it. A misspelt `name` would
 *   otherwise be a handler that gets nothing.
 */
export function streamPattern(pattern: unknown): StreamPattern | undefined {
  if (typeof pattern === 'string') return { stream: pattern };
  if (typeof pattern !== 'object' || pattern === null || !('stream' in pattern)) return undefined;
  checkOptions(schemas.pattern, pattern, 'pattern');
  return pattern as StreamPattern;
}
