/** Redis answered with an error. Otherwise the connection failed. */
export const isRedisReply = (error: unknown): error is Error =>
  error instanceof Error && error.name === 'ReplyError';

/** The group or its stream no longer exists. */
export const isGroupGone = (error: unknown): boolean =>
  isRedisReply(error) && /^(NOGROUP|UNBLOCKED)/.test(error.message);

/** The stream's key holds another type. */
export const isWrongType = (error: unknown): boolean =>
  isRedisReply(error) && error.message.includes('WRONGTYPE');

/** The user may not do this. */
export const isNotAllowed = (error: unknown): error is Error =>
  isRedisReply(error) && error.message.startsWith('NOPERM');

/** The cluster or its node does not serve the slot at present. The command was not executed. */
export const isClusterFault = (error: unknown): boolean =>
  isRedisReply(error) && /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|MASTERDOWN) /.test(error.message);

/** Another node serves the slot. */
export const isMoved = (error: unknown): boolean =>
  isRedisReply(error) && error.message.startsWith('MOVED ');

/** Redis quotes the arguments of a command it does not know. They may hold passwords or bodies. */
const QUOTED_ARGUMENTS = /,? with args beginning with:[^\n]*/g;

/** Removes secrets from an error of ioredis, in place: everybody who waits on the connection gets the same error. */
export function hideSecrets(error: unknown): void {
  if (!(error instanceof Error)) return;
  if ('lastNodeError' in error) hideSecrets(error.lastNodeError);
  error.message = error.message.replace(QUOTED_ARGUMENTS, '');
  if (error.stack !== undefined) error.stack = error.stack.replace(QUOTED_ARGUMENTS, '');
  const { command } = error as { command?: { name?: unknown; args?: unknown } };
  if (command !== undefined && /^(auth|hello)$/i.test(String(command.name))) command.args = [];
}

/** An error's message without the `command` that ioredis attaches, which may hold passwords and bodies. */
export function errorText(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map((inner) => errorText(inner)).join('; ');
  }
  // ioredis only says "Failed to refresh slots cache"; the node's error has the reason.
  const reason = error instanceof Error && 'lastNodeError' in error ? error.lastNodeError : error;
  return (reason instanceof Error ? reason.message : String(reason)).replace(QUOTED_ARGUMENTS, '');
}

/** A copy that can be kept as a `cause`: name, message and stack, without what ioredis attached. */
export function cleanCause(error: unknown): Error {
  const clean = new Error(errorText(error));
  if (error instanceof Error) {
    clean.name = error.name;
    if (error.stack !== undefined) clean.stack = error.stack.replace(QUOTED_ARGUMENTS, '');
  }
  return clean;
}
