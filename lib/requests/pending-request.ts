import type { WritePacket } from '@nestjs/microservices';
import {
  PublishError,
  ReplyInterruptedError,
  RequestTimeoutError,
} from '../errors/client.errors.js';
import { notInTime } from '../publish/publish.messages.js';
import type { Codec } from '../wire/codec.js';
import type { Reply } from '../wire/reply-fields.js';

/** The same text as in Nest's own transports. */
const NO_MESSAGE_HANDLER = 'There is no matching message handler defined in the remote service.';

export interface PendingRequestParts {
  readonly stream: string;
  readonly messageId: string;
  readonly timeoutMs: number;
  readonly codec: Codec;
  /** Nest's: takes values, an error, or the end. */
  readonly callback: (packet: WritePacket) => void;
  /** Called once, when nothing more will come. */
  readonly onEnd: () => void;
}

/** A request that waits for replies. It takes those of one run of its handler. */
export class PendingRequest {
  private ended = false;
  /** The run whose replies it takes, and the latest of them. It is the first run that replied. */
  private followed: Pick<Reply, 'run' | 'group' | 'attempt' | 'number'> | undefined;
  private readonly groupsWithoutHandler = new Set<string>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: PendingRequestParts) {}

  /** Fails if this takes longer than the given time. */
  waitForConnection(publishTimeoutMs: number): void {
    const { stream, messageId, timeoutMs } = this.parts;
    if (publishTimeoutMs >= timeoutMs) return this.waitForReply(timeoutMs);
    this.startTimer(publishTimeoutMs, () => {
      const reason = notInTime(publishTimeoutMs, false);
      return new PublishError(stream, messageId, false, reason);
    });
  }

  /** Fails if this takes longer than the given time. */
  waitForReply(withinMs: number): void {
    const { stream, messageId, timeoutMs } = this.parts;
    this.startTimer(withinMs, () => new RequestTimeoutError(stream, messageId, timeoutMs));
  }

  take(reply: Reply): void {
    if (this.ended) return;
    if (reply.kind === 'nobody') return this.takeNobody(reply.group, reply.groups);
    if (!this.accepts(reply)) return;
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

  fail(err: unknown): void {
    this.end({ err });
  }

  /**
   * Its caller no longer wants the reply.
   *
   * @returns whether the request was still pending
   */
  forget(): boolean {
    const { ended } = this;
    this.finish();
    return !ended;
  }

  /** There is no handler only if no group of the stream has one. */
  private takeNobody(group: string, groups: number): void {
    this.groupsWithoutHandler.add(group);
    if (this.groupsWithoutHandler.size >= groups) this.fail(NO_MESSAGE_HANDLER);
  }

  private accepts({ run, group, attempt, number, kind }: Reply): boolean {
    const { followed } = this;
    if (followed === undefined || followed.run === run) {
      // A reply is written twice if the answer of Redis is lost.
      if (followed !== undefined && number <= followed.number) return false;
      this.followed = { run, group, attempt, number };
      return true;
    }
    // Another group, or an earlier attempt than the followed one.
    if (followed.group !== group || attempt < followed.attempt) return false;
    // The handler failed after the followed run: this is the reason why no more values come.
    if (kind === 'error') return true;
    const { stream, messageId } = this.parts;
    this.fail(new ReplyInterruptedError(stream, messageId));
    return false;
  }

  private startTimer(ms: number, failure: () => Error): void {
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
