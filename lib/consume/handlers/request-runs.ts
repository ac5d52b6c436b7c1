import type { Redis } from 'ioredis';
import type { Codec } from '../../wire/codec.js';
import type { RequestFields } from '../../wire/request-fields.js';
import { RequestAbandonedError } from '../../errors/handler.errors.js';
import { isRedrive } from '../../wire/redrive-member.js';
import type { ResolvedRetry, ResolvedSubscription } from '../../options/resolved-options.js';
import { publishedAtMs } from '../../redis/read/entry-id.js';
import type { Reservation } from '../../redis/scripts/reserve/reservation.js';
import { RequestClock } from '../../requests/request-clock.js';
import { type Replier, type ReplyOutcome, RunReplies } from '../../requests/replier.js';
import type { Reserver } from '../reserver.js';
import type { RunSignal } from './run-signal.js';
import type { Invoke, StreamMessage } from '../stream-message.js';
import type { Verdict } from '../verdict.js';

export interface RequestRunsParts {
  readonly client: Redis;
  readonly replier: Replier;
  readonly codec: Codec;
  readonly stream: string;
  readonly streamKey: string;
  readonly group: string;
  /** Of this consumer. */
  readonly token: string;
}

type Request = StreamMessage & { readonly request: RequestFields };

/** What a stream's requests need beside what all messages get: replies, and an end to the time that somebody waits. */
export class RequestRuns {
  private readonly clock: RequestClock;
  private runs = 0;

  constructor(private readonly parts: RequestRunsParts) {
    this.clock = new RequestClock(parts.client);
  }

  /** Has Redis's clock read along with the reservation of requests. */
  withClock(reserver: Reserver): Pick<Reserver, 'reserve'> {
    return {
      reserve: async (messages): Promise<Reservation[]> => {
        const hasRequests = messages.some(({ request }) => request !== undefined);
        if (!hasRequests) return reserver.reserve(messages);
        const [answers] = await Promise.all([reserver.reserve(messages), this.clock.read()]);
        return answers;
      },
    };
  }

  /** Runs requests with what is theirs, and all other messages as they are. */
  around(invoke: Invoke): Invoke {
    return (message, signal) =>
      isRequest(message) ? this.run(message, signal, invoke) : invoke(message, signal);
  }

  /** Its replies end. Fulfilled once they are in Redis; nothing where it is no request. */
  end(message: StreamMessage): Promise<ReplyOutcome> | undefined {
    return this.repliesTo(message)?.end();
  }

  /** Its replies end with an error. Fulfilled once they are in Redis; nothing where it is no request. */
  refuse(message: StreamMessage, error: unknown): Promise<ReplyOutcome> | undefined {
    return this.repliesTo(message)?.fail(error);
  }

  /** Says that this group has no handler for a request, and how many groups there are that may have one. */
  sayNobody(message: StreamMessage): Promise<ReplyOutcome> | undefined {
    const replies = this.repliesTo(message);
    if (replies === undefined) return undefined;
    return this.countGroups().then((groups) => replies.nobody(groups));
  }

  private async countGroups(): Promise<number> {
    const { client, streamKey } = this.parts;
    const groups: unknown = await client.xinfo('GROUPS', streamKey).catch(() => undefined);
    return Array.isArray(groups) ? groups.length : 1;
  }

  /** The replies of its latest run; of none, where it did not run here. */
  private repliesTo(message: StreamMessage): RunReplies | undefined {
    if (!isRequest(message)) return undefined;
    return message.replies ?? this.repliesOf(message, () => undefined);
  }

  private async run(message: Request, signal: RunSignal, invoke: Invoke): Promise<Verdict> {
    if (this.remainingMs(message) <= 0) return { kind: 'abandoned' };
    const abandon = (): void =>
      signal.abort(new RequestAbandonedError(this.parts.stream, message.messageId));
    const replies = this.repliesOf(message, abandon);
    message.replies = replies;
    const { timeoutMs } = message.request;
    let timer: NodeJS.Timeout | undefined;
    const watch = (delayMs: number): void => {
      // A timer takes 31 bits, and a request may say anything.
      timer = setTimeout(look, Math.min(delayMs, 2_147_483_647));
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
    try {
      return await invoke(message, signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /** How long somebody still waits for the first reply. A redrive was asked for by somebody else, later. */
  private remainingMs({ entryId, originalEntryId, request }: Request): number {
    if (isRedrive(entryId)) return request.timeoutMs;
    return publishedAtMs(originalEntryId) + request.timeoutMs - this.clock.now();
  }

  private repliesOf(message: Request, onUnwanted: () => void): RunReplies {
    const { replier, codec, stream, group, token } = this.parts;
    const { request, attempt, messageId } = message;
    return new RunReplies({
      replier,
      inbox: request.inbox,
      origin: { id: request.id, group, attempt, run: `${token}.${++this.runs}` },
      codec,
      stream,
      messageId,
      onUnwanted,
    });
  }
}

/** When a message that failed is tried again: a request only where its handler asks for that. */
export const retryOf = (
  { retry, requestRetry }: ResolvedSubscription,
  { request }: StreamMessage,
): ResolvedRetry => (request === undefined ? retry : requestRetry);

/** Whether nothing passes a message that waits for its next attempt. */
export const retriesBlock = ({ retry, requestRetry }: ResolvedSubscription): boolean =>
  retry.blocking || requestRetry.blocking;

const isRequest = (message: StreamMessage): message is Request => message.request !== undefined;
