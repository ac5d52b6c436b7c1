import { setTimeout as delay } from 'node:timers/promises';
import { callbackify } from 'node:util';
import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type {
  ConnectionOptions,
  Credentials,
  LegacyOptions,
} from '../../options/connection-option.js';
import { cleanCause, errorText } from '../server/redis-errors.js';
import { reconnectDelayMs } from './retry-until-done.js';

const CONNECT_TIMEOUT_MS = 10_000;

/** The user's function that returns credentials. */
export type CredentialsSource = NonNullable<ConnectionOptions['credentials']>;

/**
 * A connection that asks for its credentials each time before it connects: they may be tokens that expire. ioredis itself
 * takes only text.
 */
export class RedisWithCredentials extends Redis {
  private readonly preparing = new SharedStep(async (signal) => {
    Object.assign(this.options, await this.nextOptions(signal));
  });

  constructor(
    url: string | undefined,
    options: LegacyOptions,
    private readonly source: CredentialsSource | undefined,
  ) {
    // It must not connect before this constructor has finished. ioredis ignores a URL that is undefined.
    super(url as string, { ...options, lazyConnect: true });
  }

  override connect(callback?: (error?: Error | null) => void): Promise<void> {
    const connected = this.prepareAndConnect();
    if (callback !== undefined) callbackify(() => connected)(callback);
    return connected;
  }

  override disconnect(reconnect = false): void {
    if (!reconnect) this.preparing.abort();
    super.disconnect(reconnect);
  }

  /** The options that the next connection needs. */
  protected async nextOptions(signal: AbortSignal): Promise<RedisOptions> {
    if (this.source === undefined) return {};
    const onFailure = (error: Error, delayMs: number): void => {
      this.emit('error', error);
      this.emit('reconnecting', delayMs);
    };
    const { connectTimeout } = this.options;
    const { username, password } = await askCredentials(
      this.source,
      connectTimeout,
      signal,
      onFailure,
    );
    return { username, password };
  }

  private async prepareAndConnect(): Promise<void> {
    if (this.status === 'end') this.preparing.reset();
    try {
      await this.preparing.run();
    } catch (error) {
      // ioredis has to learn that this reconnect was given up.
      if (this.status === 'reconnecting') {
        const ended = super.connect();
        super.disconnect();
        await ended;
      }
      throw error;
    }
    await super.connect();
  }
}

/** A cluster that asks for its credentials each time before it connects to a node. */
export class ClusterWithCredentials extends Cluster {
  private latest: Partial<Credentials> = {};
  private readonly gettingLatest = new SharedStep((signal) => this.ask(signal));

  constructor(
    nodes: ClusterNode[],
    options: ClusterOptions & { redisOptions: LegacyOptions },
    private readonly source: CredentialsSource,
  ) {
    super(nodes, { ...options, lazyConnect: true });
    this.on('+node', (node: Redis) => this.askBeforeFirstCommand(node));
  }

  override async connect(): Promise<void> {
    if (this.status === 'end') this.gettingLatest.reset();
    await this.gettingLatest.run();
    await super.connect();
  }

  override disconnect(reconnect = false): void {
    if (!reconnect) this.gettingLatest.abort();
    super.disconnect(reconnect);
  }

  // ioredis refreshes over a separate connection, made with the options of a node's connection.
  override refreshSlotsCache(callback?: (error?: Error | null) => void): void {
    void this.askAndRefresh(callback);
  }

  private async askAndRefresh(callback?: (error?: Error | null) => void): Promise<void> {
    try {
      await this.gettingLatest.run();
    } catch (error) {
      callback?.(error as Error);
      return;
    }
    super.refreshSlotsCache(callback);
  }

  /** A node's connection opens with its first command. It never reopens: ioredis makes another one. */
  private askBeforeFirstCommand(node: Redis): void {
    Object.assign(node.options, this.latest);
    const send = node.sendCommand.bind(node);
    let asked: Promise<void> | undefined;
    node.sendCommand = (command, stream) => {
      asked ??= this.gettingLatest.run().finally(() => {
        node.sendCommand = send;
      });
      asked.then(
        () => send(command, stream),
        (error: Error) => command.reject(error),
      );
      return command.promise;
    };
  }

  private async ask(signal: AbortSignal): Promise<void> {
    const timeoutMs = this.options.redisOptions?.connectTimeout;
    const onFailure = (error: Error): void => void this.emit('error', error);
    const { username, password } = await askCredentials(this.source, timeoutMs, signal, onFailure);
    this.latest = username === undefined ? { password } : { username, password };
    for (const node of this.nodes()) Object.assign(node.options, this.latest);
  }
}

/** A step that callers share while it runs, until the connection is closed. */
class SharedStep {
  private running: Promise<void> | undefined;
  private closed = new AbortController();

  constructor(private readonly step: (signal: AbortSignal) => Promise<void>) {}

  run(): Promise<void> {
    this.running ??= this.step(this.closed.signal).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  abort(): void {
    this.closed.abort(new Error('Connection is closed.'));
  }

  /** The caller connects again after the end, so the step may run again. */
  reset(): void {
    this.closed = new AbortController();
  }
}

/**
 * Asks for credentials until it gets some.
 *
 * @param timeoutMs how long an answer may take
 * @param onFailure called after each failed attempt, with the delay before the next one
 * @throws the signal's reason if it aborts first
 */
async function askCredentials(
  source: CredentialsSource,
  timeoutMs = CONNECT_TIMEOUT_MS,
  signal: AbortSignal,
  onFailure: (error: Error, delayMs: number) => void,
): Promise<Credentials> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await credentialsInTime(source, timeoutMs, signal);
    } catch (error) {
      signal.throwIfAborted();
      const delayMs = reconnectDelayMs(attempt);
      const reason = `no credentials: ${errorText(error)}`;
      onFailure(new Error(reason, { cause: cleanCause(error) }), delayMs);
      await delay(delayMs, undefined, { signal });
    }
  }
}

async function credentialsInTime(
  source: CredentialsSource,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Credentials> {
  const answered = new AbortController();
  const tooLate = delay(timeoutMs, undefined, {
    signal: AbortSignal.any([signal, answered.signal]),
  }).then(() => {
    throw new Error(`credentials() took longer than ${timeoutMs} ms`);
  });
  try {
    const given: unknown = await Promise.race([source(), tooLate]);
    if (!areCredentials(given)) throw new Error('credentials() gave no { password }');
    return given;
  } finally {
    answered.abort();
    tooLate.catch(() => undefined);
  }
}

const areCredentials = (given: unknown): given is Credentials =>
  typeof given === 'object' &&
  given !== null &&
  'password' in given &&
  typeof given.password === 'string';
