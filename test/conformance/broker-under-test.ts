/** A message to be published. */
interface OutgoingMessage {
  readonly stream: string;
  readonly payload: unknown;
  readonly headers?: Record<string, string>;
  /** @default a new one */
  readonly messageId?: string;
  /** On streams with partitions, messages with the same key stay in order. */
  readonly key?: string | undefined;
}

/** A message as a handler gets it. */
export interface IncomingMessage {
  readonly stream: string;
  readonly payload: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly messageId: string;
  readonly key: string | undefined;
  /** From 1. */
  readonly attempt: number;
  /** Its partition, if the stream has partitions. Order is then kept within a partition. */
  readonly partition: number | undefined;
  /** Which of the consumer's instances runs it, from 0. */
  readonly instance: number;
  /** Aborted when the handler has to end. */
  readonly signal: AbortSignal;
}

/** How a consumer differs from its configuration. */
export interface ConsumerOptions {
  readonly startFrom?: 'latest' | 'beginning';
  readonly concurrency?: number;
  readonly drainTimeoutMs?: number;
  /** How long what a consumer held is kept for it, and how often other consumers look for it. */
  readonly recovery?: { readonly minIdleMs: number; readonly intervalMs: number };
  readonly retry?: {
    readonly delayMs: number;
    readonly blocking?: boolean;
    readonly maxAttempts?: number;
  };
}

export interface ConsumerRequest {
  readonly group: string;
  readonly streams: readonly string[];
  /** The message failed if this throws. */
  readonly handle: (message: IncomingMessage) => unknown;
  readonly options?: ConsumerOptions;
}

export interface OpenPublisher {
  /** Sends at the call, in order; rejects if it is not certain that the broker has the message. */
  publish(message: OutgoingMessage): Promise<{ readonly messageId: string }>;
  /** Waits for outstanding answers. */
  close(): Promise<void>;
}

/** A consumer that reads, with as many instances as its configuration says. */
export interface OpenConsumer {
  close(): Promise<void>;
}

/** What is recorded about a group's messages in one stream. */
export interface RecordedState {
  /** Delivered, and not acknowledged. */
  readonly pending: number;
  /** Message IDs in the ledger. */
  readonly processed: number;
  readonly deadLetters: number;
  readonly leases: number;
  /** Entries that wait for a time. */
  readonly retries: number;
  /** Entries whose attempts are counted. */
  readonly attempts: number;
  /** Messages that the group's consumers have started and not settled. */
  readonly running: number;
}

/** What a configuration promises. The only place for differences between configurations. */
export interface Promises {
  /** Whether a failed message is retried; if not, it becomes a dead letter at once. */
  readonly retries: boolean;
  /** How many accepted messages may be lost because of one restart of the broker that keeps its data. */
  readonly lostByRestart: number;
  /**
   * What is handled in the order of publishing, even across closes: the whole stream, if one message is
   * handled at a time; messages with the same key, however many run; or nothing, if several members share a
   * stream.
   */
  readonly order: 'stream' | 'key' | 'none';
}

/**
 * A durable publish/subscribe broker, as far as the behaviours need to know it. Everything that is opened is
 * closed after each test.
 */
export interface BrokerUnderTest {
  readonly promises: Promises;
  openPublisher(): Promise<OpenPublisher>;
  /** Resolves when it reads. */
  openConsumer(request: ConsumerRequest): Promise<OpenConsumer>;
  state(stream: string, group: string): Promise<RecordedState>;
  /** The names of the group's members, including dead ones. */
  members(stream: string, group: string): Promise<string[]>;
  /** The message IDs of a group's dead letters. */
  deadLetters(stream: string, group: string): Promise<string[]>;
  /** Kills the broker, and starts it again with what it had accepted. */
  restart(): Promise<void>;
}
