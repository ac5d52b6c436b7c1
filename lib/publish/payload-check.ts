import type { StandardSchemaV1 } from '@standard-schema/spec';
import { validate } from '../wire/payload-schema.js';
import { MessageValidationError } from '../errors/message.errors.js';
import * as text from './client.messages.js';

/** What is wrong with a payload, once that is known: nothing most often. */
export type WhenValid = Promise<MessageValidationError | undefined>;

/**
 * Holds what is to be published against the schema of its stream. What the schema makes of it is not looked at: the readers'
 * schema gets what the caller gave, since to change it twice is not always to change it once.
 *
 * @returns nothing where the schema has answered already, and is content
 * @throws MessageValidationError where it has answered already, and is not
 */
export function checkPayload(
  schema: StandardSchemaV1,
  stream: string,
  payload: unknown,
  timeoutMs: number,
): WhenValid | undefined {
  const validated = validate(schema, stream, payload);
  if (validated instanceof MessageValidationError) throw validated;
  if (!(validated instanceof Promise)) return undefined;
  return new Promise((resolve) => {
    // Nothing was sent, so that it is no PublishError; and what waits behind it must not wait for ever.
    const timer = setTimeout(() => {
      const cause = new Error(text.notValidatedInTime(timeoutMs));
      resolve(new MessageValidationError(stream, cause.message, { cause }));
    }, timeoutMs);
    void validated.then((its) => {
      clearTimeout(timer);
      resolve(its instanceof MessageValidationError ? its : undefined);
    });
  });
}
