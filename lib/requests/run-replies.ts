import { RepliesTooFastError } from '../errors/handler.errors.js';
import { type Codec, encodeFields, type EntryFields } from '../wire/codec.js';
import {
  errorFields,
  nobodyFields,
  replyFields,
  type ReplyKind,
  type ReplyOrigin,
} from '../wire/request-reply-fields.js';
import type { Replier, ReplyOutcome } from './replier.js';

/** How many replies of a run the replier has at most: it writes some while others wait for the next write. */
const MOST_HANDED_OVER = 256;
/** How many bytes of values may wait before more of them are asked for. */
const FEW_BYTES = 256 * 1024;

interface RunReply {
  kind: ReplyKind;
  readonly fields: EntryFields;
  /** Until it is sent, a value can still become the last one. */
  isSent: boolean;
  settle?: (outcome: ReplyOutcome) => void;
}

/**
 * The replies of one run of a request's handler, in their order. A handler may give values faster than Redis takes them: those
 * that wait are kept as the codec wrote them, with little else, and up to a number of bytes.
 */
export class RunReplies {
  private number = 0;
  private ended = false;
  private waiting: RunReply[] = [];
  /** How many of those at the beginning of `waiting` are handed over already. */
  private gone = 0;
  private handedOver = 0;
  private bytes = 0;
  private latest: RunReply | undefined;
  private whenFewWait: (() => void) | undefined;
  /** When the latest value was given, by `performance.now()`; `undefined` before the first. */
  lastAt: number | undefined;

  constructor(
    private readonly parts: {
      readonly replier: Replier;
      readonly inbox: string;
      readonly origin: Omit<ReplyOrigin, 'number'>;
      readonly codec: Codec;
      readonly stream: string;
      /** The message ID of the values, if the codec writes one. */
      readonly messageId: string;
      /** How many bytes of values may wait to be written. */
      readonly mostBytes: number;
      /** Called when it is known that nobody waits for the replies. */
      readonly onUnwanted: () => void;
    },
  ) {}

  /**
   * @throws MessageEncodingError if the stream's codec cannot write the value
   * @throws RepliesTooFastError if too many bytes wait to be written
   */
  next(value: unknown): void {
    if (this.ended) return;
    const { codec, stream, messageId, mostBytes } = this.parts;
    if (this.bytes >= mostBytes) {
      this.stop();
      throw new RepliesTooFastError(stream, messageId, mostBytes);
    }
    const fields =
      value === undefined
        ? []
        : encodeFields(codec, stream, { name: stream, payload: value, messageId });
    this.lastAt = performance.now();
    this.latest = this.add('next', fields.slice());
  }

  /** Resolves once few values wait, so that the next one may follow. */
  async fewWait(): Promise<void> {
    if (this.bytes <= FEW_BYTES || this.ended) return;
    await new Promise<void>((resolve) => (this.whenFewWait = resolve));
  }

  /** No value follows. Resolves once all replies are in Redis. */
  end(): Promise<ReplyOutcome> {
    const { latest } = this;
    if (latest === undefined || latest.isSent) return this.endWith('end', []);
    this.ended = true;
    latest.kind = 'last';
    return new Promise((settle) => (latest.settle = settle));
  }

  fail(error: unknown): Promise<ReplyOutcome> {
    return this.endWith('error', errorFields(error));
  }

  /** @param groups how many groups the stream has, each of which may have a handler */
  nobody(groups: number): Promise<ReplyOutcome> {
    return this.endWith('nobody', nobodyFields(groups));
  }

  /** Ignores all further values of the run. */
  stop(): void {
    this.ended = true;
    this.whenFewWait?.();
  }

  private endWith(kind: ReplyKind, fields: EntryFields): Promise<ReplyOutcome> {
    this.stop();
    this.latest = undefined;
    return new Promise((settle) => this.add(kind, fields, settle));
  }

  private add(
    kind: ReplyKind,
    fields: EntryFields,
    settle?: (outcome: ReplyOutcome) => void,
  ): RunReply {
    const reply: RunReply = { kind, fields, isSent: false };
    if (settle !== undefined) reply.settle = settle;
    this.bytes += lengthOf(fields);
    this.waiting.push(reply);
    this.handOver();
    return reply;
  }

  private handOver(): void {
    while (this.handedOver < MOST_HANDED_OVER) {
      const reply = this.waiting[this.gone];
      if (reply === undefined) break;
      this.gone++;
      void this.send(reply);
    }
    // Taking the first one out of a long list moves all others.
    if (2 * this.gone >= this.waiting.length) {
      this.waiting = this.waiting.slice(this.gone);
      this.gone = 0;
    }
  }

  private async send(reply: RunReply): Promise<void> {
    const { replier, inbox, origin, onUnwanted } = this.parts;
    const number = ++this.number;
    this.handedOver++;
    const fields = (): EntryFields => {
      reply.isSent = true;
      return replyFields({ ...origin, number }, reply.kind, reply.fields);
    };
    const outcome = await replier.send(inbox, { requestId: origin.id, fields });
    this.handedOver--;
    this.bytes -= lengthOf(reply.fields);
    if (outcome === 'unwanted' || outcome === 'refused') onUnwanted();
    reply.settle?.(outcome);
    if (this.bytes <= FEW_BYTES) this.whenFewWait?.();
    this.handOver();
  }
}

function lengthOf(fields: EntryFields): number {
  let length = 0;
  for (const field of fields) length += field.length;
  return length;
}
