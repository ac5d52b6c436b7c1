import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionOptions, Credentials } from '../../options/connection-option.js';
import { reconnectDelayMs } from './reconnect-delay.js';
import { cleanCause, errorText } from '../server/redis-errors.js';
import * as text from './redis.messages.js';

const CONNECT_TIMEOUT_MS = 10_000;

/** What gives the credentials. */
export type AskFor = NonNullable<ConnectionOptions['credentials']>;

/**
 * Asks for credentials until there are some.
 *
 * @param timeoutMs how long an answer may take
 * @param onFailed told each time that there were none, with when they are asked for again
 * @throws the signal's reason where that comes first
 */
export async function askCredentials(
  credentials: AskFor,
  timeoutMs: number | undefined,
  signal: AbortSignal,
  onFailed: (error: Error, delayMs: number) => void,
): Promise<Credentials> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await credentialsInTime(credentials, timeoutMs ?? CONNECT_TIMEOUT_MS, signal);
    } catch (error) {
      signal.throwIfAborted();
      const reason = text.noCredentials(errorText(error));
      const delayMs = reconnectDelayMs(attempt);
      onFailed(new Error(reason, { cause: cleanCause(error) }), delayMs);
      await delay(delayMs, undefined, { signal });
    }
  }
}

async function credentialsInTime(
  credentials: AskFor,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Credentials> {
  const over = new AbortController();
  const tooLate = delay(timeoutMs, undefined, {
    signal: AbortSignal.any([signal, over.signal]),
  }).then(() => {
    throw new Error(text.notWithin(timeoutMs));
  });
  try {
    const given: unknown = await Promise.race([credentials(), tooLate]);
    if (!areCredentials(given)) throw new Error(text.NO_PASSWORD);
    return given;
  } finally {
    over.abort();
    tooLate.catch(() => undefined);
  }
}

const areCredentials = (given: unknown): given is Credentials =>
  typeof given === 'object' &&
  given !== null &&
  'password' in given &&
  typeof given.password === 'string';
