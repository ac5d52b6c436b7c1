import type { LoggerService } from '@nestjs/common';
import type { RedisStreamsContext } from '../../consume/handlers/redis-streams.context.js';
import type { Message } from '../../consume/message.js';
import type { Gate } from '../../consume/quarantine.js';
import { Wakeup } from '../../consume/waiting.js';
import { PullEndedError } from '../../errors/handler.errors.js';
import * as text from '../nest.messages.js';
import { Handed, type Recording } from './handed.js';
import { PulledMessage } from './pulled-message.js';

/** How long a loop waits for a message while it has as many as it may have, in ms, until the log says so. */
const PATIENCE_MS = 1_000;

/**
 * Between the pipelines and a loop. A message starts when the loop asks for one, and not before: what it does not ask for can be
 * given back like everything that did not start. Its run lasts until the loop has settled it.
 */
export class HandOut implements Gate {
  private readonly asking: ((message: PulledMessage | undefined) => void)[] = [];
  /** Started, and on their way to the loop. */
  private readonly starting = new Set<Message>();
  private readonly out = new Map<Message, Handed>();
  private readonly changed = new Wakeup();
  private timer: NodeJS.Timeout | undefined;
  private isEnded = false;
  private isSaid = false;

  /** @param target the stream or the wildcard */
  constructor(
    private readonly target: string,
    private readonly concurrency: number,
    private readonly recording: Recording,
    private readonly logger: LoggerService,
  ) {}

  /** Whether the loop waits for a message, and none is on its way to it. */
  get isWanting(): boolean {
    return this.asking.length > this.starting.size;
  }

  /** Whether the loop waits for a message, and has none that it could settle. */
  get isIdle(): boolean {
    return this.isWanting && this.held === 0;
  }

  /** Resolves to the next message; to undefined once there will be none. */
  next(): Promise<PulledMessage | undefined> {
    if (this.isEnded) return Promise.resolve(undefined);
    const message = new Promise<PulledMessage | undefined>((resolve) => this.asking.push(resolve));
    this.changed.notify();
    this.watchFull();
    return message;
  }

  /** The handler: its run ends when the loop has settled the message. */
  handle(payload: unknown, context: RedisStreamsContext): Promise<void> {
    const args = context.getArgs();
    const [message] = args;
    const handed = new Handed(context.getEntryId(), context.getSignal(), this.recording);
    this.starting.delete(message);
    this.out.set(message, handed);
    const give = this.asking.shift();
    if (give === undefined) handed.lose(new PullEndedError(this.target, message.entryId));
    else give(new PulledMessage(args, payload, handed));
    this.watchFull();
    return handed.run;
  }

  /** Hands out nothing more, except what is on its way. What the loop has can still be settled. */
  end(): void {
    this.isEnded = true;
    clearTimeout(this.timer);
    for (const give of this.asking.splice(this.starting.size)) give(undefined);
    this.changed.notify();
  }

  /** The loop settles nothing more. */
  giveUp(): void {
    for (const [message, handed] of this.out) {
      handed.lose(new PullEndedError(this.target, message.entryId));
    }
  }

  /**
   * Requests are not handed out, so they need not wait for the loop: their callers are told at once. Once it has ended, only what
   * cannot be given back still starts: it fails, and becomes a dead letter.
   */
  isOpenFor({ request }: Message): boolean {
    if (request !== undefined || this.isEnded) return true;
    return this.isWanting && this.held < this.concurrency;
  }

  opened(): Promise<void> {
    return this.changed.next();
  }

  endOffer(): void {}

  started(message: Message): void {
    if (message.request === undefined) this.starting.add(message);
  }

  ended(message: Message): void {
    this.starting.delete(message);
    this.out.get(message)?.ended();
    this.out.delete(message);
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.isEnded) return this.end();
    this.changed.notify();
    this.watchFull();
  }

  private get held(): number {
    return this.starting.size + this.out.size;
  }

  /** A forgotten `ack()` would otherwise be a loop that silently gets nothing. */
  private watchFull(): void {
    if (this.isSaid || this.isEnded || this.timer !== undefined || !this.isFull) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.isSaid || this.isEnded || !this.isFull) return;
      this.isSaid = true;
      this.logger.warn(text.nothingSettled(this.target, this.out.size));
    }, PATIENCE_MS);
    this.timer.unref();
  }

  private get isFull(): boolean {
    return this.isWanting && this.out.size >= this.concurrency;
  }
}
