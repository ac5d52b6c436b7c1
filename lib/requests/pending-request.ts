import type { WritePacket } from '@nestjs/microservices';
import type { Codec } from '../wire/codec.js';
import type { Reply } from '../wire/reply-fields.js';
import {
  PublishError,
  ReplyInterruptedError,
  RequestTimeoutError,
} from '../errors/client.errors.js';
import * as text from '../publish/client.messages.js';

export interface PendingRequestParts {
  readonly stream: string;
  readonly messageId: string;
  readonly timeoutMs: number;
  readonly codec: Codec;
  /** Nest's: it makes values, an error or an end of what it is given. */
  readonly callback: (packet: WritePacket) => void;
  /** Told once, when nothing more is to come. */
  readonly onEnd: () => void;
}

/** A request that waits for replies, and follows those of one run of its handler. */
export class PendingRequest {
  private ended = false;
  /** The run whose replies it gives: the first that it heard of. */
  private followed: Pick<Reply, 'run' | 'group' | 'attempt' | 'number'> | undefined;
  /** The groups that have no handler for it. */
  private readonly without = new Set<string>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: PendingRequestParts) {}

  /** It waits for a connection, for so long. */
  waitForConnection(publishTimeoutMs: number): void {
    const { stream, messageId, timeoutMs } = this.parts;
    if (publishTimeoutMs >= timeoutMs) return this.waitForReply(timeoutMs);
    this.arm(publishTimeoutMs, () => {
      const reason = text.notInTime(publishTimeoutMs, false);
      return new PublishError(stream, messageId, false, reason);
    });
  }

  /** It waits for a reply, for so long. */
  waitForReply(withinMs: number): void {
    const { stream, messageId, timeoutMs } = this.parts;
    this.arm(withinMs, () => new RequestTimeoutError(stream, messageId, timeoutMs));
  }

  take(reply: Reply): void {
    if (this.ended) return;
    if (reply.kind === 'nobody') return this.takeNobody(reply.group, reply.groups);
    if (!this.follows(reply)) return;
    this.waitForReply(this.parts.timeoutMs);
    if (reply.kind === 'error') return this.fail(reply.error);
    if (reply.kind === 'end') return this.end({ isDisposed: true });
    let response: unknown;
    try {
      const { codec } = this.parts;
      response = reply.value.length === 0 ? undefined : codec.decode(reply.value).payload;
    } catch (error) {
      return this.fail(error);
    }
    if (reply.kind === 'last') this.end({ response, isDisposed: true });
    else this.parts.callback({ response });
  }

  /** Ends it with an error. */
  fail(err: unknown): void {
    this.end({ err });
  }

  /** Its caller does not want it any longer. */
  forget(): boolean {
    const { ended } = this;
    this.finish();
    return !ended;
  }

  /** Each group of the stream may have a handler: only when none has, there is none. */
  private takeNobody(group: string, groups: number): void {
    this.without.add(group);
    if (this.without.size >= groups) this.fail(text.NO_MESSAGE_HANDLER);
  }

  private follows({ run, group, attempt, number, kind }: Reply): boolean {
    const { followed } = this;
    if (followed === undefined || followed.run === run) {
      // It was written twice where an answer of Redis was lost.
      if (followed !== undefined && number <= followed.number) return false;
      this.followed = { run, group, attempt, number };
      return true;
    }
    // Of two groups that answer, one is enough; and so is a run that is behind the one heard.
    if (followed.group !== group || attempt < followed.attempt) return false;
    // It did not go on after the run heard, and says why.
    if (kind === 'error') return true;
    const { stream, messageId } = this.parts;
    this.fail(new ReplyInterruptedError(stream, messageId));
    return false;
  }

  private arm(ms: number, failure: () => Error): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fail(failure()), ms);
  }

  private end(packet: WritePacket): void {
    if (this.ended) return;
    this.finish();
    this.parts.callback(packet);
  }

  private finish(): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    this.parts.onEnd();
  }
}
