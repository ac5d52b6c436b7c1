import { callbackify } from 'node:util';
import { Redis, type RedisOptions } from 'ioredis';
import type { LegacyOptions } from '../../options/connection-option.js';
import { askCredentials, type AskFor } from './asked-credentials.js';
import * as text from './redis.messages.js';

/** A connection that asks for its credentials each time before it is made. ioredis itself takes text only. */
export class AskingRedis extends Redis {
  private question: Promise<void> | undefined;
  private left = new AbortController();

  constructor(
    url: string | undefined,
    options: LegacyOptions,
    private readonly credentials: AskFor | undefined,
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

  /** What its options have to be for the next connection. */
  protected async answers(signal: AbortSignal): Promise<RedisOptions> {
    if (this.credentials === undefined) return {};
    const { connectTimeout } = this.options;
    const { username, password } = await askCredentials(
      this.credentials,
      connectTimeout,
      signal,
      (error, delayMs) => {
        this.emit('error', error);
        this.emit('reconnecting', delayMs);
      },
    );
    return { username, password };
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
    Object.assign(this.options, await this.answers(signal));
  }
}
