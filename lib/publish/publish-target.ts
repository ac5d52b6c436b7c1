import { inspect } from 'node:util';
import { InvalidOptionsError } from '../errors/options.errors.js';
import { MessageEncodingError } from '../errors/message.errors.js';
import { type StreamPattern, streamPattern } from '../options/stream-pattern.js';
import * as text from './client.messages.js';

/**
 * Where a pattern has a message go: a stream's name, or `{ stream, name }`.
 *
 * @throws MessageEncodingError where it is neither
 */
export function publishTarget(pattern: unknown): StreamPattern {
  try {
    const target = streamPattern(pattern);
    if (target !== undefined) return target;
  } catch (cause) {
    if (!(cause instanceof InvalidOptionsError)) throw cause;
    throw new MessageEncodingError(patternText(pattern), cause.message, { cause });
  }
  throw new MessageEncodingError(patternText(pattern), text.NOT_A_STREAM);
}

/** How a pattern is named in errors. */
const patternText = (pattern: unknown): string =>
  typeof pattern === 'string' ? pattern : inspect(pattern);
