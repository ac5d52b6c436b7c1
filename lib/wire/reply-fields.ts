import type { EntryFields, RawFields } from './codec.js';
import { fromJson, fromUtf8 } from './json-text.js';

/** Which run of a request's handler a reply is of, and its place among that run's replies. */
export interface ReplyOrigin {
  /** The request's ID. */
  readonly id: string;
  readonly group: string;
  /** Which attempt of the group the run was, from 1. */
  readonly attempt: number;
  /** Tells the run from all others. */
  readonly run: string;
  /** From 1; a reply that was written twice has the same number twice. */
  readonly number: number;
}

/** What a reply says. */
export type ReplyKind =
  /** A value, and others may follow. */
  | 'next'
  /** A value, and no other follows. */
  | 'last'
  /** No other value follows. */
  | 'end'
  | 'error'
  /** This group has no handler for the request. */
  | 'nobody';

/** A reply as it lies in an inbox. */
export type Reply = ReplyOrigin &
  (
    | {
        readonly kind: 'next' | 'last';
        /** The value as the codec wrote it; nothing where the value is `undefined`. */
        readonly value: RawFields;
      }
    | { readonly kind: 'end' }
    | { readonly kind: 'error'; readonly error: unknown }
    | {
        readonly kind: 'nobody';
        /** How many groups the stream has. */
        readonly groups: number;
      }
  );

const KINDS: ReadonlySet<string> = new Set<ReplyKind>(['next', 'last', 'end', 'error', 'nobody']);

/** @param rest a value's fields as the codec wrote them, or those of `errorFields` or `nobodyFields` */
export const replyFields = (
  { id, group, attempt, run, number }: ReplyOrigin,
  kind: ReplyKind,
  rest: EntryFields,
): EntryFields => ['reply', `${id} ${kind} ${number} ${attempt} ${run} ${group}`, ...rest];

export const nobodyFields = (groups: number): EntryFields => ['groups', String(groups)];

/** An error as JSON has it, as with Nest's own transports; of an `Error` its message is kept, which JSON would leave out. */
export function errorFields(error: unknown): EntryFields {
  let json: string | undefined;
  try {
    json = JSON.stringify(plainError(error));
  } catch {
    // Circular, or a BigInt: what it says is better than nothing.
  }
  return ['error', json ?? JSON.stringify({ status: 'error', message: String(error) })];
}

function plainError(error: unknown): unknown {
  if (!(error instanceof Error)) return error ?? { status: 'error', message: 'Unknown error' };
  const getError: unknown = Reflect.get(error, 'getError');
  if (typeof getError === 'function') {
    const its: unknown = getError.call(error);
    return typeof its === 'object' && its !== null ? its : { status: 'error', message: its };
  }
  return { ...error, status: 'error', message: error.message };
}

/** @returns nothing where the entry is no reply */
export function readReply(fields: RawFields): Reply | undefined {
  const [field, head, ...rest] = fields;
  if (field?.toString() !== 'reply' || head === undefined) return undefined;
  const its = /^(\w+) (\w+) (\d+) (\d+) (\S+) (.*)$/s.exec(head.toString());
  const [, id = '', kind = '', number, attempt, run = '', group = ''] = its ?? [];
  if (!isKind(kind)) return undefined;
  const origin = { id, group, run, attempt: Number(attempt), number: Number(number) };
  if (kind === 'end') return { ...origin, kind };
  if (kind === 'error')
    return { ...origin, kind, error: textOf(rest, (text) => fromJson('error', text)) };
  if (kind === 'nobody') return { ...origin, kind, groups: textOf(rest, Number) };
  return { ...origin, kind, value: rest };
}

const isKind = (kind: string): kind is ReplyKind => KINDS.has(kind);

const textOf = <Value>([, value = Buffer.of()]: RawFields, read: (text: string) => Value): Value =>
  read(fromUtf8('reply', value));
