import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { CancelError } from '../errors/client.errors.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import { JointWrite } from '../redis/connect/cluster-client.js';
import { faultOf } from '../redis/connect/connection-faults.js';
import type { OpenedConnection } from '../redis/connect/opened-connection.js';
import { cancelScript } from '../redis/scripts/publish/cancel.script.js';
import { cleanCause, errorText, isRedisReply } from '../redis/server/redis-errors.js';
import { placesOf } from '../wire/partitions.js';
import { cancelledByKey, delayedKeys, streamKey } from '../wire/stream-keys.js';
import { isWildcard } from '../wire/stream-names.js';
import * as text from './publish.messages.js';

/** How long to wait after a command failed although the connection did not. */
const PAUSE_MS = 50;

/**
 * Cancels a delayed message. In a stream with partitions all of them are asked, since the message's key is not known here. If the
 * connection drops before the answer, the call is sent again, and gets the answer of the first time.
 *
 * @throws CancelError
 */
export async function cancelDelayed(
  connection: OpenedConnection,
  { keyPrefix, publishTimeoutMs, partitions }: ResolvedClientOptions,
  stream: string,
  messageId: string,
): Promise<boolean> {
  if (isWildcard(stream)) throw new CancelError(stream, messageId, false, text.ONE_STREAM);
  const token = randomBytes(8).toString('hex');
  const keysOfPlaces = placesOf(stream, partitions.get(stream)).map((place) => {
    const key = streamKey(keyPrefix, place);
    const { delayed, messages } = delayedKeys(key);
    return [delayed, messages, cancelledByKey(key, token)];
  });
  const args = [messageId, 2 * publishTimeoutMs + 60_000];
  let sent = false;
  let over = false;
  let timer: NodeJS.Timeout | undefined;

  const failure = (ambiguous: boolean, reason: string, cause?: unknown): CancelError => {
    const options = cause === undefined ? undefined : { cause: cleanCause(cause) };
    return new CancelError(stream, messageId, ambiguous, reason, options);
  };
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const fault = faultOf(connection.client);
      reject(failure(sent, text.notInTime(publishTimeoutMs, sent, fault), fault?.cause));
    }, publishTimeoutMs);
  });
  const answer = async (): Promise<boolean> => {
    for (;;) {
      const client = await connection.ready();
      // Messages that were emitted before this call are sent before it.
      await nextTurn();
      if (over) return false;
      const sentBefore = sent;
      try {
        sent = true;
        new JointWrite(client).begin();
        return await isCancelledInAny(
          keysOfPlaces.map((keys) => cancelScript.run(client, keys, args)),
        );
      } catch (error) {
        if (isRedisReply(error)) throw failure(sentBefore, errorText(error), error);
        await delay(PAUSE_MS);
      }
    }
  };
  try {
    return await Promise.race([answer(), timeout]);
  } catch (error) {
    throw error instanceof CancelError ? error : failure(sent, text.CLOSED, error);
  } finally {
    over = true;
    clearTimeout(timer);
  }
}

/** A refusal of Redis counts only if no place answers true; an answer that is missing always counts. */
async function isCancelledInAny(answers: readonly Promise<boolean>[]): Promise<boolean> {
  const settled = await Promise.allSettled(answers);
  const errors: unknown[] = settled.flatMap((answer) =>
    answer.status === 'rejected' ? [answer.reason] : [],
  );
  const unanswered = errors.find((error) => !isRedisReply(error));
  if (unanswered !== undefined) throw unanswered;
  if (settled.some((answer) => answer.status === 'fulfilled' && answer.value)) return true;
  if (errors.length > 0) throw errors[0];
  return false;
}
