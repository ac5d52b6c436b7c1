import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { CancelError } from '../errors/cancel.error.js';
import { cancelledByKey, delayedKeys, streamKey } from '../keys/stream-keys.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { OpenedConnection } from '../redis/opened-connection.js';
import { cleanCause, errorText, isRedisReply } from '../redis/redis-errors.js';
import { cancelScript } from '../redis/scripts/cancel.script.js';
import * as text from './client.messages.js';

/** How long to wait where a command failed and the connection did not. */
const PAUSE_MS = 50;

/**
 * Cancels a message that waits to be published. A call that was not answered when the connection dropped is sent again, and
 * gets the answer of the first time.
 *
 * @throws CancelError
 */
export async function cancelDelayed(
  connection: OpenedConnection,
  { keyPrefix, publishTimeoutMs }: ResolvedClientOptions,
  stream: string,
  messageId: string,
): Promise<boolean> {
  const key = streamKey(keyPrefix, stream);
  const { delayed, messages } = delayedKeys(key);
  const keys = [delayed, messages, cancelledByKey(key, randomBytes(8).toString('hex'))];
  const args = [messageId, 2 * publishTimeoutMs + 60_000];
  let sent = false;
  let over = false;
  let timer: NodeJS.Timeout | undefined;

  const fail = (ambiguous: boolean, reason: string, cause?: unknown): CancelError => {
    const options = cause === undefined ? undefined : { cause: cleanCause(cause) };
    return new CancelError(stream, messageId, ambiguous, reason, options);
  };
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(fail(sent, text.notInTime(publishTimeoutMs, sent)));
    }, publishTimeoutMs);
  });
  const answer = async (): Promise<boolean> => {
    for (;;) {
      const client = await connection.ready();
      // What was emitted before this call is sent before it.
      await nextTurn();
      if (over) return false;
      const before = sent;
      try {
        sent = true;
        return await cancelScript.run(client, keys, args);
      } catch (error) {
        if (isRedisReply(error)) throw fail(before, errorText(error), error);
        await delay(PAUSE_MS);
      }
    }
  };
  try {
    return await Promise.race([answer(), timeout]);
  } catch (error) {
    throw error instanceof CancelError ? error : fail(sent, text.CLOSED, error);
  } finally {
    over = true;
    clearTimeout(timer);
  }
}
