import { checkOptions } from './check-options.js';
import { patternName } from './pattern-name.js';
import { schemas } from './options.schema.js';

/** A pattern with a stream and a name: `{ stream: 'orders', name: 'order.created' }`. */
export interface StreamPattern {
  /** The stream's name, without `keyPrefix`. */
  stream: string;
  /**
   * The name of the messages: a handler gets only those, and a published message has it.
   *
   * @default none: a handler gets all messages of the stream, and a published message has the stream's name
   */
  name?: string;
}

/**
 * Reads a pattern. A string is the name of a stream; for other patterns of Nest see {@link patternName}.
 *
 * @throws InvalidOptionsError if it is no pattern, or if an object with `stream` has an unknown or wrong property. With a misspelt
 *   `name`, a handler would otherwise get nothing.
 */
export function streamPattern(pattern: unknown): StreamPattern {
  if (typeof pattern === 'string') return { stream: pattern };
  if (typeof pattern !== 'object' || pattern === null || !('stream' in pattern)) {
    return { stream: patternName(pattern) };
  }
  checkOptions(schemas.pattern, pattern, 'pattern');
  return pattern as StreamPattern;
}
