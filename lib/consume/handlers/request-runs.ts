import type { Redis } from 'ioredis';
import { RequestAbandonedError } from '../../errors/handler.errors.js';
import { Callers } from '../../requests/callers.js';
import type { Replier, ReplyOutcome } from '../../requests/replier.js';
import { RunReplies } from '../../requests/run-replies.js';
import { RequestClock } from '../../redis/server/clocks.js';
import type { Codec } from '../../wire/codec.js';
import type { RequestFields } from '../../wire/request-reply-fields.js';
import type { Invoke } from '../stream-place.js';
import * as text from '../consumer.messages.js';
import type { Outcome } from '../decide.js';
import { publishedMs } from '../decoder.js';
import type { Message } from '../message.js';
import { LONGEST_TIMER_MS } from '../slots.js';
import type { RunSignal, Verdict } from './run.js';
import { RunningRequests } from './running-requests.js';

/** How long an answer counts that the caller of a request still waits, in ms. */
const ASKED_FOR_MS = 100;

type Request = Message & { readonly request: RequestFields };

/** Where requests are answered, and by whom. */
interface AnsweredStream {
  readonly stream: string;
  readonly streamKey: string;
  readonly group: string;
  readonly holder: string;
  /** How many bytes of one request's values may wait to be written. */
  readonly mostReplyBytes: number;
}

/** What a stream's requests need beside what all messages get: replies, and an end once nobody waits for them. */
export class RequestRuns {
  private readonly clock: RequestClock;
  private readonly callers: Callers;
  private readonly running: RunningRequests;
  private runs = 0;

  constructor(
    private readonly client: Redis,
    private readonly replier: Replier,
    private readonly codec: Codec,
    private readonly where: AnsweredStream,
  ) {
    this.clock = new RequestClock(client);
    this.callers = new Callers(client);
    this.running = new RunningRequests(this.callers);
  }

  /** Reads Redis's clock if there are requests among the messages: it says how long their callers still wait. */
  readClockFor(messages: readonly Message[]): Promise<void> | undefined {
    if (!messages.some(isRequest)) return undefined;
    // Without an answer, it goes on from the last one.
    return this.clock.read().catch(() => undefined);
  }

  /** Whether it has to be asked before a message starts whether its caller still waits: it is a request that has waited itself. */
  mustAsk(message: Message): boolean {
    if (!isRequest(message) || message.callerHasLeft === true) return false;
    const askedAt = message.callerAskedAt ?? -Infinity;
    return performance.now() - askedAt > ASKED_FOR_MS && this.waitedMs(message) > ASKED_FOR_MS;
  }

  /** Notes which of these requests have no caller any more. Requests that wait together are asked for together. */
  async askCallers(messages: readonly Message[]): Promise<void> {
    const requests = messages.filter(isRequest);
    const askedAt = performance.now();
    const left = await this.callers.left(requests.map(({ request }) => request));
    for (const message of requests) {
      message.callerAskedAt = askedAt;
      message.callerHasLeft = left.has(message.request.id);
    }
  }

  /** Runs a request until its handlers end, or nobody waits for a reply any longer. */
  async run(message: Message, signal: RunSignal, invoke: Invoke): Promise<Verdict> {
    if (!isRequest(message)) return invoke(message, signal);
    if (message.callerHasLeft === true || this.remainingMs(message) <= 0) {
      return { kind: 'abandoned' };
    }
    const abandon = (): void =>
      signal.abort(new RequestAbandonedError(this.where.stream, message.messageId));
    const replies = this.repliesOf(message, abandon);
    message.replies = replies;
    const { timeoutMs } = message.request;
    let timer: NodeJS.Timeout | undefined;
    const watch = (delayMs: number): void => {
      timer = setTimeout(look, Math.min(delayMs, LONGEST_TIMER_MS));
      // A handler that ignores its timeout may never end; a process that has nothing else to do may.
      timer.unref();
    };
    const look = (): void => {
      const { lastAt } = replies;
      const left =
        lastAt === undefined ? this.remainingMs(message) : lastAt + timeoutMs - performance.now();
      if (left <= 0) abandon();
      else watch(left);
    };
    watch(this.remainingMs(message));
    const endWatch = this.running.watch(message.request, abandon);
    try {
      return await invoke(message, signal);
    } finally {
      clearTimeout(timer);
      endWatch();
    }
  }

  /**
   * Ends the replies of a message with what became of it.
   *
   * @returns resolves once the replies are in Redis; undefined if its outcome need not wait for that
   */
  conclude(message: Message, outcome: Outcome): Promise<ReplyOutcome> | undefined {
    if (!isRequest(message)) return undefined;
    switch (outcome.kind) {
      case 'handled':
        return this.repliesTo(message).end();
      case 'unhandled':
        return this.sayNobody(message);
      case 'answered':
        message.replies?.stop();
        return this.repliesTo(message).fail(outcome.reply);
      case 'dead':
        message.replies?.stop();
        void this.repliesTo(message).fail(outcome.reply);
        return undefined;
      default:
        message.replies?.stop();
        return undefined;
    }
  }

  /** A message with the ID of this request was settled before. */
  refuseDuplicate(message: Message): void {
    if (isRequest(message)) void this.repliesTo(message).fail(new Error(text.REQUEST_DUPLICATE));
  }

  /** Says that this group has no handler for a request, and how many groups may have one. */
  private async sayNobody(message: Request): Promise<ReplyOutcome> {
    const groups: unknown = await this.client
      .xinfo('GROUPS', this.where.streamKey)
      .catch(() => undefined);
    return this.repliesTo(message).nobody(Array.isArray(groups) ? groups.length : 1);
  }

  /** The replies of its latest run, or new ones if it did not run here. */
  private repliesTo(message: Request): RunReplies {
    return message.replies ?? this.repliesOf(message, () => undefined);
  }

  /** How long somebody still waits for the first reply. */
  private remainingMs(message: Request): number {
    return message.request.timeoutMs - this.waitedMs(message);
  }

  /** How long ago it was published; 0 if that is not known. */
  private waitedMs(message: Request): number {
    const publishedAtMs = publishedMs(message);
    return publishedAtMs === undefined ? 0 : this.clock.now() - publishedAtMs;
  }

  private repliesOf(message: Request, onUnwanted: () => void): RunReplies {
    const { stream, group, holder, mostReplyBytes } = this.where;
    const { request, attempt, messageId } = message;
    return new RunReplies({
      replier: this.replier,
      inbox: request.inbox,
      origin: { id: request.id, group, attempt, run: `${holder}.${++this.runs}` },
      codec: this.codec,
      stream,
      messageId,
      mostBytes: mostReplyBytes,
      onUnwanted,
    });
  }
}

const isRequest = (message: Message): message is Request => message.request !== undefined;
