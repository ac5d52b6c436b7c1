import { UnexpectedReplyError } from '../../errors/redis.errors.js';

/** An entry as Redis gave it. `fields` is `undefined` where the entry was deleted while it was pending. */
export interface RawEntry {
  readonly id: string;
  readonly fields: readonly Buffer[] | undefined;
}

/** The entries of one stream in a reply of `XREADGROUP`. */
export interface StreamEntries {
  readonly stream: string;
  readonly entries: readonly RawEntry[];
}

/** @throws UnexpectedReplyError */
export function parseText(reply: unknown, command: string): string {
  if (Buffer.isBuffer(reply) || typeof reply === 'string') return reply.toString();
  throw new UnexpectedReplyError(command);
}

/** @throws UnexpectedReplyError */
export function parseCount(reply: unknown, command: string): number {
  if (typeof reply === 'number') return reply;
  throw new UnexpectedReplyError(command);
}

/** @throws UnexpectedReplyError */
export function parseList(reply: unknown, command: string): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw new UnexpectedReplyError(command);
}

/**
 * Entries as `XRANGE` and our scripts give them: `[[id, [name, value, …]], …]`.
 *
 * @throws UnexpectedReplyError
 */
export function parseEntries(reply: unknown, command: string): RawEntry[] {
  return parseList(reply, command).map((row) => {
    const pair = parseList(row, command);
    return { id: parseText(pair[0], command), fields: parseFields(pair[1], command) };
  });
}

/**
 * The reply of `XREADGROUP`: nothing where the time ran out.
 *
 * @throws UnexpectedReplyError
 */
export function parseStreams(reply: unknown, command: string): StreamEntries[] {
  if (reply === null || reply === undefined) return [];
  return parseList(reply, command).map((row) => {
    const [stream, entries] = parseList(row, command);
    return { stream: parseText(stream, command), entries: parseEntries(entries, command) };
  });
}

const isBuffer = (value: unknown): value is Buffer => Buffer.isBuffer(value);

function parseFields(fields: unknown, command: string): readonly Buffer[] | undefined {
  if (fields === null || fields === undefined) return undefined;
  const list = parseList(fields, command);
  if (!list.every(isBuffer)) throw new UnexpectedReplyError(command);
  return list.length === 0 ? undefined : list;
}
