import type { Redis } from 'ioredis';
import { PublishError } from '../errors/client.errors.js';
import { JointWrite } from '../redis/connect/joint-write.js';
import * as text from './client.messages.js';
import { PlainSending } from './plain-sending.js';
import type { PublishReceipt } from './publish-receipt.js';
import { outcomesOf, type Publisher, type PublishOutcome, type Publishing } from './publishing.js';

/**
 * Sends each message once, whatever others published: at once where there is a connection, else as soon as there is one.
 * What was not sent in time is never sent later.
 */
export class PlainPublisher implements Publisher {
  private readonly waiting = new Set<PlainSending>();
  private readonly sent = new Set<PlainSending>();
  private readonly jointWrite: JointWrite;
  private onAnswered: (() => void) | undefined;

  constructor(
    private readonly client: Redis,
    private readonly timeoutMs: number,
    private readonly warn: (said: string) => void,
  ) {
    this.jointWrite = new JointWrite(client);
    client.on('ready', this.sendWaiting);
  }

  get isClosing(): boolean {
    return this.onAnswered !== undefined;
  }

  publish(message: Publishing): Promise<PublishReceipt> {
    return new Promise((resolve, reject) => {
      const settle = (_: number, outcome: PublishOutcome): void => {
        if (outcome instanceof PublishError) reject(outcome);
        else resolve(outcome);
      };
      this.take(new PlainSending([message], settle, this.forget));
    });
  }

  publishAll(messages: readonly Publishing[]): Promise<PublishOutcome[]> {
    return outcomesOf(messages.length, (settle) => {
      this.take(new PlainSending(messages, settle, this.forget));
    });
  }

  async close(): Promise<void> {
    this.client.off('ready', this.sendWaiting);
    const answered = new Promise<void>((resolve) => {
      this.onAnswered = resolve;
    });
    for (const sending of this.waiting) sending.fail(text.CLOSED);
    this.noteAnswered();
    await answered;
  }

  private take(sending: PlainSending): void {
    sending.begin(this.timeoutMs);
    if (this.client.status === 'ready') this.send(sending);
    else this.waiting.add(sending);
  }

  private readonly sendWaiting = (): void => {
    for (const sending of this.waiting) {
      this.waiting.delete(sending);
      this.send(sending);
    }
  };

  private send(sending: PlainSending): void {
    this.sent.add(sending);
    // All of it leaves in one write, which is half as fast again as a pipeline, and each command has its own answer.
    this.jointWrite.begin();
    sending.send(this.client, this.warn);
  }

  private readonly forget = (sending: PlainSending): void => {
    this.waiting.delete(sending);
    this.sent.delete(sending);
    this.noteAnswered();
  };

  private noteAnswered(): void {
    if (this.sent.size === 0) this.onAnswered?.();
  }
}
