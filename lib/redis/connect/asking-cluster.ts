import { Cluster, type ClusterNode, type ClusterOptions, type Redis } from 'ioredis';
import type { Credentials, LegacyOptions } from '../../options/connection-option.js';
import { askCredentials, type AskFor } from './asked-credentials.js';
import * as text from './redis.messages.js';

/** A cluster that asks for its credentials each time before it connects to a node. */
export class AskingCluster extends Cluster {
  private question: Promise<void> | undefined;
  private left = new AbortController();
  private latest: Partial<Credentials> = {};

  constructor(
    nodes: ClusterNode[],
    options: ClusterOptions & { redisOptions: LegacyOptions },
    private readonly credentials: AskFor,
  ) {
    super(nodes, { ...options, lazyConnect: true });
    this.on('+node', (node: Redis) => this.prepare(node));
  }

  override async connect(): Promise<void> {
    // Who connects again after the end means it.
    if (this.status === 'end') this.left = new AbortController();
    await this.ask();
    await super.connect();
  }

  override disconnect(reconnect = false): void {
    if (!reconnect) this.left.abort(new Error(text.CLOSED));
    super.disconnect(reconnect);
  }

  // It asks over a connection of its own, made with what the connection to a node was made with.
  override refreshSlotsCache(callback?: (error?: Error | null) => void): void {
    void this.askAndRefresh(callback);
  }

  private async askAndRefresh(callback?: (error?: Error | null) => void): Promise<void> {
    try {
      await this.ask();
    } catch (error) {
      callback?.(error as Error);
      return;
    }
    super.refreshSlotsCache(callback);
  }

  /** Such a connection is made with its first command, and never made anew: there is another then. */
  private prepare(node: Redis): void {
    Object.assign(node.options, this.latest);
    const send = node.sendCommand.bind(node);
    let asked: Promise<void> | undefined;
    node.sendCommand = (command, stream) => {
      asked ??= this.ask().finally(() => {
        node.sendCommand = send;
      });
      asked.then(
        () => send(command, stream),
        (error: Error) => command.reject(error),
      );
      return command.promise;
    };
  }

  private ask(): Promise<void> {
    const { signal } = this.left;
    this.question ??= this.askOnce(signal).finally(() => {
      this.question = undefined;
    });
    return this.question;
  }

  private async askOnce(signal: AbortSignal): Promise<void> {
    const timeoutMs = this.options.redisOptions?.connectTimeout;
    const { username, password } = await askCredentials(
      this.credentials,
      timeoutMs,
      signal,
      (error) => this.emit('error', error),
    );
    this.latest = username === undefined ? { password } : { username, password };
    for (const node of this.nodes()) Object.assign(node.options, this.latest);
  }
}
