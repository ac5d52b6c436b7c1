import { isUtf8 } from 'node:buffer';
import { MessageDecodingError, MessageEncodingError } from '../errors/message.errors.js';
import * as text from './codec.messages.js';
import { jsonDamage } from './json-damage.js';

/**
 * A value as JSON, where JSON can say it.
 *
 * @throws MessageEncodingError where something in it would arrive as something else
 */
export function toJson(stream: string, what: string, value: unknown): string {
  let json: string | undefined;
  let damage: string | undefined;
  try {
    json = JSON.stringify(value);
    // Afterwards, when it is known that nothing in it is circular.
    if (json !== undefined) damage = jsonDamage(value);
  } catch (cause) {
    const reason = cause instanceof Error ? firstLine(cause.message) : String(cause);
    throw new MessageEncodingError(stream, `${what}: ${reason}`, { cause });
  }
  if (json === undefined) damage = `a ${typeof value}`;
  if (json === undefined || damage !== undefined) {
    throw new MessageEncodingError(stream, `${what}: ${text.notJson(damage ?? '')}`);
  }
  return json;
}

// A circular structure is described over several lines, with property names that may tell more than they should.
const firstLine = (message: string): string => message.split('\n', 1)[0] ?? '';

/** @throws MessageDecodingError where it is not JSON */
export function fromJson(field: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // V8 quotes the text in its message, and bodies are never logged: so the cause is not kept.
    throw new MessageDecodingError(text.notJsonText(field));
  }
}

/** @throws MessageDecodingError where the bytes are not UTF-8: other characters would stand in their place */
export function fromUtf8(field: string, bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new MessageDecodingError(text.notUtf8(field));
  return bytes.toString();
}

/** @throws MessageDecodingError where it is not an object */
export function objectOf(field: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MessageDecodingError(text.notAStringMap(field));
  }
  return Object.fromEntries(Object.entries(value));
}

/** @throws MessageDecodingError where it is not an object of texts */
export function stringMap(field: string, value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(objectOf(field, value)).map(([name, its]) => {
      if (typeof its !== 'string') throw new MessageDecodingError(text.notAStringMap(field));
      return [name, its];
    }),
  );
}
