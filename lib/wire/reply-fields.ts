import type { EntryFields, RawFields } from './codec.js';
import { fromJson, fromUtf8 } from './json-text.js';

/** The run of a request's handler that sent a reply, and the reply's number in that run. */
export interface ReplyOrigin {
  /** The request's ID. */
  readonly id: string;
  readonly group: string;
  /** The group's attempt, from 1. */
  readonly attempt: number;
  /** Unique to the run. */
  readonly run: string;
  /** From 1. A reply that was written twice has the same number both times. */
  readonly number: number;
}

/** The meaning of a reply. */
export type ReplyKind =
  /** A value; more may follow. */
  | 'next'
  /** A value; no more follow. */
  | 'last'
  /** No more values follow. */
  | 'end'
  | 'error'
  /** This group has no handler for the request. */
  | 'nobody';

/** A reply in an inbox. */
export type Reply = ReplyOrigin &
  (
    | {
        readonly kind: 'next' | 'last';
        /** The value as the codec wrote it. Empty if the value is `undefined`. */
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

/** @param rest a value as the codec wrote it, or the result of `errorFields` or `nobodyFields` */
export const replyFields = (
  { id, group, attempt, run, number }: ReplyOrigin,
  kind: ReplyKind,
  rest: EntryFields,
): EntryFields => ['reply', `${id} ${kind} ${number} ${attempt} ${run} ${group}`, ...rest];

export const nobodyFields = (groups: number): EntryFields => ['groups', String(groups)];

/** An error as JSON, as in Nest's own transports. The message of an `Error` is added, since JSON would leave it out. */
export function errorFields(error: unknown): EntryFields {
  let json: string | undefined;
  try {
    json = JSON.stringify(plainError(error));
  } catch {
    // Circular, or a BigInt: at least its text can be sent.
  }
  return ['error', json ?? JSON.stringify({ status: 'error', message: String(error) })];
}

function plainError(error: unknown): unknown {
  if (!(error instanceof Error)) return error ?? { status: 'error', message: 'Unknown error' };
  const getError: unknown = Reflect.get(error, 'getError');
  if (typeof getError === 'function') {
    const content: unknown = getError.call(error);
    if (typeof content === 'object' && content !== null) return content;
    return { status: 'error', message: content };
  }
  return { ...error, status: 'error', message: error.message };
}

/** @returns undefined if the entry is not a reply */
export function readReply(fields: RawFields): Reply | undefined {
  const [field, head, ...rest] = fields;
  if (field?.toString() !== 'reply' || head === undefined) return undefined;
  const [, id = '', kind = '', number, attempt, run = '', group = ''] =
    /^(\w+) (\w+) (\d+) (\d+) (\S+) (.*)$/s.exec(head.toString()) ?? [];
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
