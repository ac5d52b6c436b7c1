import type { Codec, EntryFields } from '../wire/codec.js';
import {
  errorFields,
  nobodyFields,
  replyFields,
  type ReplyKind,
  type ReplyOrigin,
} from '../wire/reply-fields.js';
import type { Replier, ReplyOutcome } from './replier.js';

/** What the replies of one run have in common. */
export interface RunRepliesParts {
  readonly replier: Replier;
  readonly inbox: string;
  readonly origin: Omit<ReplyOrigin, 'number'>;
  readonly codec: Codec;
  readonly stream: string;
  /** What a value's entry has for an ID, where the codec writes one. */
  readonly messageId: string;
  /** Told when it is known that nobody waits for them. */
  readonly onUnwanted: () => void;
}

/** The replies of one run of a request's handler, in their order. */
export class RunReplies {
  private number = 0;
  private ended = false;
  /** The latest value, until it has left. */
  private latest: { kind: ReplyKind; isGone: boolean; outcome: Promise<ReplyOutcome> } | undefined;
  /** When the latest was given, by `performance.now()`; nothing before the first. */
  lastAt: number | undefined;

  constructor(private readonly parts: RunRepliesParts) {}

  /** @throws MessageEncodingError where the stream's codec cannot write the value */
  next(value: unknown): void {
    if (this.ended) return;
    const { codec, stream, messageId } = this.parts;
    const rest =
      value === undefined ? [] : codec.encode(stream, { name: stream, payload: value, messageId });
    this.lastAt = performance.now();
    this.send('next', rest);
  }

  /** No value follows. Fulfilled once all of it is in Redis. */
  end(): Promise<ReplyOutcome> {
    const { latest } = this;
    this.ended = true;
    if (latest === undefined || latest.isGone) return this.send('end', []);
    latest.kind = 'last';
    return latest.outcome;
  }

  fail(error: unknown): Promise<ReplyOutcome> {
    this.ended = true;
    return this.send('error', errorFields(error));
  }

  /** @param groups how many groups the stream has, each of which may have a handler */
  nobody(groups: number): Promise<ReplyOutcome> {
    this.ended = true;
    return this.send('nobody', nobodyFields(groups));
  }

  /** What the run still gives is no reply any more. */
  stop(): void {
    this.ended = true;
  }

  private send(kind: ReplyKind, rest: EntryFields): Promise<ReplyOutcome> {
    const { replier, inbox, origin, onUnwanted } = this.parts;
    const number = ++this.number;
    const sending = { kind, isGone: false, outcome: Promise.resolve<ReplyOutcome>('written') };
    sending.outcome = new Promise((resolve) => {
      replier.send(inbox, {
        requestId: origin.id,
        fields: () => {
          sending.isGone = true;
          return replyFields({ ...origin, number }, sending.kind, rest);
        },
        settle: (outcome) => {
          if (outcome === 'unwanted') onUnwanted();
          resolve(outcome);
        },
      });
    });
    this.latest = kind === 'next' ? sending : undefined;
    return sending.outcome;
  }
}
