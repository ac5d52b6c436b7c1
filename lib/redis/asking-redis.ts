import { setTimeout as delay } from 'node:timers/promises';
import { callbackify } from 'node:util';
import { Redis } from 'ioredis';
import type {
  ConnectionOptions,
  Credentials,
  LegacyOptions,
} from '../options/connection-option.js';
import { reconnectDelayMs } from './reconnect-delay.js';
import { cleanCause, errorText } from './redis-errors.js';
import * as text from './redis.messages.js';

const CONNECT_TIMEOUT_MS = 10_000;

/** A connection that asks for its credentials each time before it is made. ioredis itself takes text only. */
export class AskingRedis extends Redis {
  private question: Promise<void> | undefined;
  private left = new AbortController();

  constructor(
    url: string | undefined,
    options: LegacyOptions,
    private readonly credentials: NonNullable<ConnectionOptions['credentials']>,
  ) {
    // Before it may connect, it has to be whole.
    // A URL that is missing is passed over.
    super(url as string, { ...options, lazyConnect: true });
  }

  override connect(callback?: (error?: Error | null) => void): Promise<void> {
    const connected = this.askAndConnect();
    if (callback !== undefined) callbackify(() => connected)(callback);
    return connected;
  }

  override disconnect(reconnect = false): void {
    if (!reconnect) this.left.abort(new Error(text.CLOSED));
    super.disconnect(reconnect);
  }

  private async askAndConnect(): Promise<void> {
    // Who connects again after the end means it.
    if (this.status === 'end') this.left = new AbortController();
    const { signal } = this.left;
    this.question ??= this.ask(signal).finally(() => {
      this.question = undefined;
    });
    try {
      await this.question;
    } catch (error) {
      // A reconnect that is given up has to come to its end in ioredis too.
      if (this.status === 'reconnecting') {
        const ended = super.connect();
        super.disconnect();
        await ended;
      }
      throw error;
    }
    await super.connect();
  }

  private async ask(signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const { username, password } = await this.credentialsInTime(signal);
        Object.assign(this.options, { username, password });
        return;
      } catch (error) {
        signal.throwIfAborted();
        const reason = text.noCredentials(errorText(error));
        const delayMs = reconnectDelayMs(attempt);
        this.emit('error', new Error(reason, { cause: cleanCause(error) }));
        this.emit('reconnecting', delayMs);
        await delay(delayMs, undefined, { signal });
      }
    }
  }

  private async credentialsInTime(signal: AbortSignal): Promise<Credentials> {
    const { connectTimeout = CONNECT_TIMEOUT_MS } = this.options;
    const over = new AbortController();
    const tooLate = delay(connectTimeout, undefined, {
      signal: AbortSignal.any([signal, over.signal]),
    }).then(() => {
      throw new Error(text.notWithin(connectTimeout));
    });
    try {
      const given: unknown = await Promise.race([this.credentials(), tooLate]);
      if (!areCredentials(given)) throw new Error(text.NO_PASSWORD);
      return given;
    } finally {
      over.abort();
      tooLate.catch(() => undefined);
    }
  }
}

const areCredentials = (given: unknown): given is Credentials =>
  typeof given === 'object' &&
  given !== null &&
  'password' in given &&
  typeof given.password === 'string';
