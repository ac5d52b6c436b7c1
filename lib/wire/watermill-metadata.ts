import { decode, encode } from '@msgpack/msgpack';
import { MessageDecodingError, MessageEncodingError } from '../errors/message.errors.js';
import * as text from './codec.messages.js';
import type { DecodedEnvelope, MessageEnvelope } from './envelope.js';
import { fromJson, objectOf, toJson } from './json-text.js';

const FIELD = 'metadata';
/** Where Watermill's own CQRS has it. */
const NAME = 'name';
const KEY = '_nestjs_key';
const NEST = '_nestjs_metadata';
const PAYLOAD = '_nestjs_payload';
const OURS: readonly string[] = [NAME, KEY, NEST, PAYLOAD];

type InMetadata = Pick<DecodedEnvelope, 'name' | 'headers' | 'metadata' | 'key'>;

/** A map holds texts, and nothing that says how much memory it wants for what is not there. */
const LIMITS = { maxArrayLength: 0, maxBinLength: 0, maxExtLength: 0 };

/** @throws MessageEncodingError where a header has a name that is used here */
export function writeMetadata(
  stream: string,
  { name, headers = {}, metadata, key }: MessageEnvelope,
  isBytes: boolean,
): Buffer {
  const reserved = OURS.find((ours) => Object.hasOwn(headers, ours));
  if (reserved !== undefined) throw new MessageEncodingError(stream, text.headerReserved(reserved));
  if (Object.hasOwn(headers, '__proto__')) {
    throw new MessageEncodingError(stream, text.headerReserved('__proto__'));
  }
  const all: Record<string, string> = { ...headers, [NAME]: name };
  if (key !== undefined) all[KEY] = key;
  if (metadata !== undefined) all[NEST] = toJson(stream, 'metadata', metadata);
  if (isBytes) all[PAYLOAD] = 'bytes';
  return Buffer.from(encode(all));
}

/**
 * @param field what the entry has; nothing, or no bytes, where the producer had no metadata
 * @throws MessageDecodingError where it is not a map of texts
 */
export function readMetadata(field: Buffer | undefined): InMetadata & { isBytes: boolean } {
  if (field === undefined || field.length === 0) return { isBytes: false };
  const headers: [string, string][] = [];
  const ours = new Map<string, string>();
  for (const [name, value] of Object.entries(unpacked(field))) {
    if (typeof value !== 'string') throw new MessageDecodingError(text.notMessagePack(FIELD));
    if (OURS.includes(name)) ours.set(name, value);
    else headers.push([name, value]);
  }
  const [name, nest, payload] = [ours.get(NAME), ours.get(NEST), ours.get(PAYLOAD)];
  if (payload !== undefined && payload !== 'bytes') {
    throw new MessageDecodingError(text.encodingUnknown(`${FIELD}.${PAYLOAD}`));
  }
  return {
    name: name === '' ? undefined : name,
    headers: headers.length === 0 ? undefined : Object.fromEntries(headers),
    metadata: nest === undefined ? undefined : objectOf(NEST, fromJson(NEST, nest)),
    key: ours.get(KEY),
    isBytes: payload === 'bytes',
  };
}

function unpacked(field: Buffer): object {
  let map: unknown;
  try {
    map = decode(field, LIMITS);
  } catch {
    // Its words may quote what is in there.
    map = undefined;
  }
  if (typeof map !== 'object' || map === null) {
    throw new MessageDecodingError(text.notMessagePack(FIELD));
  }
  return map;
}
