import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { CancelError } from '../errors/client.errors.js';
import { placesOf } from '../wire/partitions.js';
import { cancelledByKey, delayedKeys, streamKey } from '../wire/stream-keys.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { OpenedConnection } from '../redis/connect/opened-connection.js';
import { cleanCause, errorText, isRedisReply } from '../redis/server/redis-errors.js';
import { JointWrite } from '../redis/connect/joint-write.js';
import { cancelScript } from '../redis/scripts/publish/cancel.script.js';
import * as text from './client.messages.js';

/** How long to wait where a command failed and the connection did not. */
const PAUSE_MS = 50;

/**
 * Cancels a message that waits to be published. Where it was placed by a key nobody knows that here, so that all partitions are
 * asked. A call that was not answered when the connection dropped is sent again, and
 * gets the answer of the first time.
 *
 * @throws CancelError
 */
export async function cancelDelayed(
  connection: OpenedConnection,
  { keyPrefix, publishTimeoutMs, partitions }: ResolvedClientOptions,
  stream: string,
  messageId: string,
): Promise<boolean> {
  const token = randomBytes(8).toString('hex');
  const asked = placesOf(stream, partitions.get(stream)).map((place) => {
    const key = streamKey(keyPrefix, place);
    const { delayed, messages } = delayedKeys(key);
    return [delayed, messages, cancelledByKey(key, token)];
  });
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
        new JointWrite(client).begin();
        return await anyOf(asked.map((keys) => cancelScript.run(client, keys, args)));
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

/** Whether one of them says so; only where none does, one that Redis refused counts. */
async function anyOf(answers: readonly Promise<boolean>[]): Promise<boolean> {
  const settled = await Promise.allSettled(answers);
  const errors: unknown[] = settled.flatMap((its) =>
    its.status === 'rejected' ? [its.reason] : [],
  );
  const unanswered = errors.find((error) => !isRedisReply(error));
  if (unanswered !== undefined) throw unanswered;
  if (settled.some((its) => its.status === 'fulfilled' && its.value)) return true;
  if (errors.length > 0) throw errors[0];
  return false;
}
