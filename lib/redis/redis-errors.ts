/** Redis answered, and said no; as against a connection that broke. */
export const isRedisReply = (error: unknown): error is Error =>
  error instanceof Error && error.name === 'ReplyError';

/** The group or its stream is not there any more. */
export const isGroupGone = (error: unknown): boolean =>
  isRedisReply(error) &&
  (error.message.startsWith('NOGROUP') || error.message.startsWith('UNBLOCKED'));

/** Something else has the stream's name. */
export const isWrongType = (error: unknown): boolean =>
  isRedisReply(error) && error.message.includes('WRONGTYPE');

/** What an error says, without what ioredis attaches to it: its `command` can hold passwords and bodies. */
export function errorText(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map((inner) => errorText(inner)).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}

/** An error fit to be kept as a `cause`: message, name and stack, and nothing that ioredis attached. */
export function cleanCause(error: unknown): Error {
  const clean = new Error(errorText(error));
  if (error instanceof Error) {
    clean.name = error.name;
    if (error.stack !== undefined) clean.stack = error.stack;
  }
  return clean;
}
