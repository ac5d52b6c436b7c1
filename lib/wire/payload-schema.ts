import type { StandardSchemaV1 } from '@standard-schema/spec';
import { MessageValidationError, type ValidationIssue } from '../errors/message.errors.js';
import { thrownText } from '../errors/thrown-text.js';
import * as text from './codec.js';

/** The payload as the schema returned it, or why the schema refused it. */
export type Validated = { readonly payload: unknown } | MessageValidationError;

/**
 * Validates a payload by the schema of its stream, synchronously if the schema is. It never throws or rejects: if the schema
 * does, it returns an error with that as its cause.
 */
export function validate(
  schema: StandardSchemaV1,
  stream: string,
  payload: unknown,
): Validated | Promise<Validated> {
  const failed = (cause: unknown): Validated => schemaFailed(stream, cause);
  const read = (result: unknown): Validated => {
    try {
      return validatedOf(stream, result);
    } catch (error) {
      return failed(error);
    }
  };
  try {
    const result: unknown = schema['~standard'].validate(payload);
    // Some libraries have promises of their own.
    return isThenable(result) ? Promise.resolve(result).then(read, failed) : read(result);
  } catch (error) {
    return failed(error);
  }
}

function validatedOf(stream: string, result: unknown): Validated {
  if (typeof result !== 'object' || result === null) throw new TypeError(text.NO_SCHEMA_RESULT);
  const { issues, value }: { issues?: unknown; value?: unknown } = result;
  if (!issues) return { payload: value };
  const [first, count] = boundedIssues(issues);
  return new MessageValidationError(stream, issuesText(first, count), { issues: first });
}

function schemaFailed(stream: string, cause: unknown): MessageValidationError {
  const reason = text.schemaFailed(thrownText(cause, LONGEST));
  return new MessageValidationError(stream, reason, { cause });
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  'then' in value &&
  typeof value.then === 'function';

/** A payload can have very many issues; a dead letter and a log line should show only some. */
const MOST_ISSUES = 10;
const LONGEST = 200;

const cut = (message: string): string =>
  message.length > LONGEST ? `${message.slice(0, LONGEST)}…` : message;

/**
 * The first issues of a schema's list, and how many there are. Only path and message are copied: some libraries put the refused
 * value into an issue.
 */
function boundedIssues(issues: unknown): readonly [ValidationIssue[], number] {
  const all: unknown[] = Array.isArray(issues) ? issues : [];
  const first = all.slice(0, MOST_ISSUES).map((issue) => {
    const { path, message }: { path?: unknown; message?: unknown } = Object(issue);
    return { path: cut(pathText(path)), message: cut(String(message)) };
  });
  return [first, all.length];
}

/** `items[0].id: Expected number; and 3 more` */
function issuesText(first: readonly ValidationIssue[], count: number): string {
  if (first.length === 0) return text.NO_ISSUE_NAMED;
  const texts = first.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  if (count > first.length) texts.push(text.moreIssues(count - first.length));
  return texts.join('; ');
}

function pathText(path: unknown): string {
  if (!Array.isArray(path)) return '';
  return path.reduce<string>((before, segment: unknown) => {
    const key: unknown =
      typeof segment === 'object' && segment !== null && 'key' in segment ? segment.key : segment;
    if (typeof key === 'number') return `${before}[${key}]`;
    return before === '' ? String(key) : `${before}.${String(key)}`;
  }, '');
}
