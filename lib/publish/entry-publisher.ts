import type { Redis } from 'ioredis';
import { PublishError } from '../errors/client.errors.js';
import type { StreamLimits } from '../options/resolved-options.js';
import { JointWrite } from '../redis/connect/cluster-client.js';
import type { EntryFields } from '../wire/codec.js';

/** A message that is encoded and ready to be written. */
export interface OutgoingEntry {
  readonly stream: string;
  /** The key of the stream, or of its partition. */
  readonly key: string;
  readonly messageId: string;
  /** Whether the ID was generated for this call. */
  readonly idIsNew: boolean;
  readonly fields: EntryFields;
  /** When to publish it, as the script takes it: `+` and a delay in ms, or ms since 1970. `undefined`: at once. */
  readonly due: string | undefined;
  /** How much of the stream to keep. */
  readonly limits: StreamLimits | undefined;
}

/** What `emit()` gives once Redis has the message. */
export interface PublishReceipt {
  /** The stream's name, without `keyPrefix`. */
  readonly stream: string;
  /** The ID that Redis gave the entry; `null` if the message waits to be published later, and has none yet. */
  readonly entryId: string | null;
  /** The ID of the message: its producer's, or a UUID made at the call. */
  readonly messageId: string;
  /** Whether a message with this ID was published before, or waits to be, so that this one was not written. */
  readonly duplicate: boolean;
}

/** What happened to an entry. */
export type PublishOutcome = PublishReceipt | PublishError;

/** Writes entries to Redis, those of one stream in the order of the calls. */
export interface EntryPublisher {
  /** Whether `close()` was called: nothing more may be published. */
  readonly isClosing: boolean;
  /** @throws PublishError if Redis refused, or did not answer in time */
  publish(entry: OutgoingEntry): Promise<PublishReceipt>;
  /** Sends entries of one stream in one write. Never rejects. Returns an outcome for each, in their order. */
  publishAll(entries: readonly OutgoingEntry[]): Promise<PublishOutcome[]>;
  /** Waits for the answers to what was sent. What was not sent, and finds no first connection within two seconds, fails. */
  close(): Promise<void>;
}

/** How long closing waits for the first connection, in ms. */
const FIRST_CONNECTION_MS = 2_000;

/** Told what became of the entry with this number. */
export type OnOutcome = (index: number, outcome: PublishOutcome) => void;

/** Sends entries over one connection whenever it is ready, many in one write, and ends once all of them have an outcome. */
export abstract class ConnectionPublisher implements EntryPublisher {
  protected readonly jointWrite: JointWrite;
  /** Set once it is closing. */
  private onAnswered: (() => void) | undefined;
  private wasReady: boolean;
  /** Set while it waits for its first connection before it closes. */
  private onFirst: (() => void) | undefined;

  constructor(
    protected readonly client: Redis,
    protected readonly timeoutMs: number,
  ) {
    this.jointWrite = new JointWrite(client);
    this.wasReady = client.status === 'ready';
    client.on('ready', this.whenReady);
  }

  /** Whether something was taken that has no outcome yet. */
  protected abstract readonly hasUnanswered: boolean;
  /** Takes entries that belong together. */
  protected abstract start(entries: readonly OutgoingEntry[], onOutcome: OnOutcome): void;
  /** The connection is ready, perhaps again. */
  protected abstract onReady(): void;
  /** Nothing more is sent after this. */
  protected abstract sendOrFailRest(): void;

  get isClosing(): boolean {
    return this.onAnswered !== undefined;
  }

  publish(entry: OutgoingEntry): Promise<PublishReceipt> {
    return new Promise((resolve, reject) => {
      this.start([entry], (_, outcome) => {
        if (outcome instanceof PublishError) reject(outcome);
        else resolve(outcome);
      });
    });
  }

  publishAll(entries: readonly OutgoingEntry[]): Promise<PublishOutcome[]> {
    return new Promise((resolve) => {
      const outcomes = Array.from<PublishOutcome>({ length: entries.length });
      let open = entries.length;
      this.start(entries, (index, outcome) => {
        outcomes[index] = outcome;
        if (--open === 0) resolve(outcomes);
      });
    });
  }

  async close(): Promise<void> {
    if (!this.wasReady && this.hasUnanswered) await this.firstConnection();
    this.client.off('ready', this.whenReady);
    const answered = new Promise<void>((resolve) => {
      this.onAnswered = resolve;
    });
    this.sendOrFailRest();
    this.noteAnswered();
    await answered;
  }

  protected noteAnswered(): void {
    if (this.hasUnanswered) return;
    this.onFirst?.();
    this.onAnswered?.();
  }

  /** What was emitted at the start of a short program would be lost otherwise. A lost connection is not waited for. */
  private async firstConnection(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.onFirst = resolve;
      timer = setTimeout(resolve, FIRST_CONNECTION_MS);
      this.client.once('end', resolve);
    });
    clearTimeout(timer);
    if (this.onFirst !== undefined) this.client.off('end', this.onFirst);
    this.onFirst = undefined;
  }

  private readonly whenReady = (): void => {
    this.wasReady = true;
    this.onReady();
    this.onFirst?.();
  };
}
