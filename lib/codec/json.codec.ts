import { MessageDecodingError } from '../errors/message-decoding.error.js';
import { MessageEncodingError } from '../errors/message-encoding.error.js';
import type { Codec, EntryFields, RawFields } from './codec.js';
import { fieldMissing, notAStringMap, notBase64Text, notJson } from './codec.messages.js';
import type { MessageEnvelope } from './envelope.js';

const BODY_ENCODING = 'body-encoding';

/**
 * The default codec: `name` as text, `body` as JSON, and where there are any `id`, `headers`, `metadata` and
 * `key`. Only `name` and `body` are needed to read an entry. Bytes (`Buffer`, `Uint8Array`) travel as base64 in
 * a JSON string, with the field `body-encoding`.
 */
export class JsonCodec implements Codec {
  encode(stream: string, envelope: MessageEnvelope): EntryFields {
    const { payload, messageId, headers, metadata, key } = envelope;
    const bytes = payload instanceof Uint8Array;
    const fields: EntryFields = [
      'name',
      envelope.name,
      'body',
      toJson(stream, 'payload', bytes ? base64(payload) : payload),
    ];
    if (messageId !== undefined) fields.push('id', messageId);
    if (bytes) fields.push(BODY_ENCODING, 'base64');
    if (headers !== undefined && Object.keys(headers).length > 0) {
      fields.push('headers', toJson(stream, 'headers', headers));
    }
    if (metadata !== undefined) fields.push('metadata', toJson(stream, 'metadata', metadata));
    if (key !== undefined) fields.push('key', key);
    return fields;
  }

  decode(fields: RawFields): MessageEnvelope {
    let name, body, messageId, headers, metadata, key, encoding: string | undefined;
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const value = fields[at + 1]?.toString();
      switch (fields[at]?.toString()) {
        case 'name':
          name = value;
          break;
        case 'body':
          body = value;
          break;
        case 'id':
          messageId = value;
          break;
        case 'headers':
          headers = value;
          break;
        case 'metadata':
          metadata = value;
          break;
        case 'key':
          key = value;
          break;
        case BODY_ENCODING:
          encoding = value;
          break;
      }
    }
    if (name === undefined) throw new MessageDecodingError(fieldMissing('name'));
    if (body === undefined) throw new MessageDecodingError(fieldMissing('body'));
    const payload = fromJson('body', body);
    return {
      name,
      payload: encoding === 'base64' ? bytesOf(payload) : payload,
      messageId: messageId === '' ? undefined : messageId,
      headers:
        headers === undefined ? undefined : stringMap('headers', fromJson('headers', headers)),
      metadata:
        metadata === undefined ? undefined : objectOf('metadata', fromJson('metadata', metadata)),
      key,
    };
  }
}

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

function toJson(stream: string, what: string, value: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    const reason = cause instanceof Error ? firstLine(cause.message) : String(cause);
    throw new MessageEncodingError(stream, `${what}: ${reason}`, { cause });
  }
  if (json === undefined)
    throw new MessageEncodingError(stream, `${what}: ${notJson(typeof value)}`);
  return json;
}

// A circular structure is described over several lines, with property names that may tell more than they should.
const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

function fromJson(field: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // V8 quotes the text in its message, and bodies are never logged: so the cause is not kept.
    throw new MessageDecodingError(`field "${field}" is not JSON`);
  }
}

function bytesOf(payload: unknown): Buffer {
  if (typeof payload !== 'string') throw new MessageDecodingError(notBase64Text());
  return Buffer.from(payload, 'base64');
}

function objectOf(field: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MessageDecodingError(notAStringMap(field));
  }
  return Object.fromEntries(Object.entries(value));
}

function stringMap(field: string, value: unknown): Record<string, string> {
  const map: Record<string, string> = {};
  for (const [name, text] of Object.entries(objectOf(field, value))) {
    if (typeof text !== 'string') throw new MessageDecodingError(notAStringMap(field));
    map[name] = text;
  }
  return map;
}
