import type { StandardSchemaV1 } from '@standard-schema/spec';
import { MessageValidationError, type ValidationIssue } from '../errors/message-validation.error.js';
import * as text from './codec.messages.js';

/** What a schema made of a payload, or why it refused it. */
export type Validated = { readonly payload: unknown } | MessageValidationError;

/**
 * Holds a payload against the schema of its stream. Answers at once where the schema does. Never throws or rejects: a schema
 * that does is an error as well, with that as its cause.
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
    // Promises of others count too: libraries have their own.
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
  const said = cause instanceof Error ? cause.message : String(cause);
  return new MessageValidationError(stream, text.schemaFailed(cut(said)), { cause });
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  'then' in value &&
  typeof value.then === 'function';

/** A payload can have as many issues as it has parts; a dead letter and a line of the log have room for some. */
const MOST_ISSUES = 10;
const LONGEST = 200;

export const cut = (said: string): string =>
  said.length > LONGEST ? `${said.slice(0, LONGEST)}…` : said;

/**
 * The first issues of a schema's list, and how many there are. Only path and message are taken over: libraries also put the
 * value that they refuse into an issue.
 */
export function boundedIssues(issues: unknown): readonly [ValidationIssue[], number] {
  const all: unknown[] = Array.isArray(issues) ? issues : [];
  const first = all.slice(0, MOST_ISSUES).map((issue) => {
    const { path, message }: { path?: unknown; message?: unknown } = Object(issue);
    return { path: cut(pathText(path)), message: cut(String(message)) };
  });
  return [first, all.length];
}

/** `items[0].id: Expected number; and 3 more` */
export function issuesText(first: readonly ValidationIssue[], count: number): string {
  if (first.length === 0) return text.NO_ISSUE_NAMED;
  const said = first.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  if (count > first.length) said.push(text.moreIssues(count - first.length));
  return said.join('; ');
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
