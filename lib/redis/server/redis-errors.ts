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

/** A node of a cluster does not serve the slot, or not all of it, or the cluster does not: it was not executed. */
export const isClusterFault = (error: unknown): boolean =>
  isRedisReply(error) && /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|MASTERDOWN) /.test(error.message);

/** The slot is served by another node. */
export const isMoved = (error: unknown): boolean =>
  isRedisReply(error) && error.message.startsWith('MOVED ');

/** What Redis repeats of a command that it does not know: passwords and bodies are among it. */
const REPEATED = /,? with args beginning with:[^\n]*/g;

/** Takes the password out of an error of ioredis. Those who wait on the connection get the same error. */
export function hideSecrets(error: unknown): void {
  if (!(error instanceof Error)) return;
  if ('lastNodeError' in error) hideSecrets(error.lastNodeError);
  error.message = error.message.replace(REPEATED, '');
  if (error.stack !== undefined) error.stack = error.stack.replace(REPEATED, '');
  const { command } = error as { command?: { name?: unknown; args?: unknown } };
  if (command !== undefined && /^(auth|hello)$/i.test(String(command.name))) command.args = [];
}

/** What an error says, without what ioredis attaches to it: its `command` can hold passwords and bodies. */
export function errorText(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map((inner) => errorText(inner)).join('; ');
  }
  // "Failed to refresh slots cache" says no more than that.
  const reason = error instanceof Error && 'lastNodeError' in error ? error.lastNodeError : error;
  return (reason instanceof Error ? reason.message : String(reason)).replace(REPEATED, '');
}

/** An error fit to be kept as a `cause`: message, name and stack, and nothing that ioredis attached. */
export function cleanCause(error: unknown): Error {
  const clean = new Error(errorText(error));
  if (error instanceof Error) {
    clean.name = error.name;
    if (error.stack !== undefined) clean.stack = error.stack.replace(REPEATED, '');
  }
  return clean;
}

/** Redis answered that this user may not do it. */
export const isNotAllowed = (error: unknown): error is Error =>
  isRedisReply(error) && error.message.startsWith('NOPERM');
