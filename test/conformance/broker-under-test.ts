/** A message on its way in. */
interface OutgoingMessage {
  readonly stream: string;
  readonly payload: unknown;
  readonly headers?: Record<string, string>;
  /** @default a fresh one */
  readonly messageId?: string;
  /** Messages of one key stay in order where streams have partitions. */
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
  /** The partition that it was in, where streams have some. Order is that of a partition then. */
  readonly partition: number | undefined;
  /** Which of the consumer's instances runs it, from 0. */
  readonly instance: number;
  /** Aborted when the handler has to end. */
  readonly signal: AbortSignal;
}

/** What is wanted of a consumer that differs from its configuration. */
export interface ConsumerOptions {
  readonly startFrom?: 'latest' | 'beginning';
  readonly concurrency?: number;
  readonly drainTimeoutMs?: number;
  /** How long what a consumer held is kept for it, and how often another looks for such. */
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
  /** The message failed where it throws. */
  readonly handle: (message: IncomingMessage) => unknown;
  readonly options?: ConsumerOptions;
}

export interface OpenPublisher {
  /** Sends at the call, in order; rejects where it is not certain that the broker has the message. */
  publish(message: OutgoingMessage): Promise<{ readonly messageId: string }>;
  /** Waits for the answers to what was sent. */
  close(): Promise<void>;
}

/** A consumer that reads, with as many instances as its configuration says. */
export interface OpenConsumer {
  close(): Promise<void>;
}

/** What is recorded of a group's messages in one stream. */
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
  /** What the group's consumers have begun with and not settled. */
  readonly running: number;
}

/** What a configuration promises where configurations differ. The only place for such differences. */
export interface Promises {
  /** Whether what failed is run again; where it is not, it becomes a dead letter at once. */
  readonly retries: boolean;
  /** How many messages that were accepted may end nowhere because of one restart of the broker, data kept. */
  readonly lostByRestart: number;
  /**
   * What is handled in the order in which it was published, also through closes: all of a stream, where one message is handled
   * at a time; what has the same key, however many are; or nothing, where several members share a stream.
   */
  readonly order: 'stream' | 'key' | 'none';
}

/**
 * A durable publish/subscribe broker, as far as the behaviours need to know it. All that is opened is closed after each
 * test.
 */
export interface BrokerUnderTest {
  readonly promises: Promises;
  openPublisher(): Promise<OpenPublisher>;
  /** Fulfilled when it reads. */
  openConsumer(request: ConsumerRequest): Promise<OpenConsumer>;
  state(stream: string, group: string): Promise<RecordedState>;
  /** The names of the group's members, dead ones too. */
  members(stream: string, group: string): Promise<string[]>;
  /** The message IDs of a group's dead letters. */
  deadLetters(stream: string, group: string): Promise<string[]>;
  /** Ends the broker the hard way, and starts it again with what it had accepted. */
  restart(): Promise<void>;
}
