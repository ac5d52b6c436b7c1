import type { Redis } from 'ioredis';
import { silent } from './redis.messages.js';

/** After this process was held up, answers that came meanwhile are still to be read. */
const READ_FIRST_MS = 100;

/**
 * Asks a connection for a sign of life, and drops it where none comes, so that ioredis makes another. Without that, what was
 * sent into a connection that died without a word waits for as long as the operating system sends it again.
 *
 * @param intervalMs between an answer and the next question
 * @param answerMs how long an answer may take
 */
export function keepHealthy(client: Redis, intervalMs: number, answerMs: number): void {
  let timer: NodeJS.Timeout | undefined;
  const after = (ms: number, callback: () => void): void => {
    clearTimeout(timer);
    timer = setTimeout(callback, ms).unref();
  };
  const ask = (): void => {
    if (client.status !== 'ready') return;
    const { stream } = client;
    const drop = (): void => void stream.destroy(new Error(silent(answerMs)));
    after(answerMs, () => after(READ_FIRST_MS, drop));
    const onAnswer = (): void => {
      if (client.stream === stream) after(intervalMs, ask);
    };
    // A refusal is an answer too.
    client.ping().then(onAnswer, onAnswer);
  };
  client.on('ready', () => after(intervalMs, ask));
  client.on('close', () => clearTimeout(timer));
}
