import type { StandardSchemaV1 } from '@standard-schema/spec';
import { MessageValidationError } from '../errors/message.errors.js';
import * as text from './codec.messages.js';
import { boundedIssues, cut, issuesText } from './payload-issues.js';

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
