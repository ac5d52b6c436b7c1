import type { WritePacket } from '@nestjs/microservices';
import type { Redis } from 'ioredis';
import {
  PublishError,
  ReplyInterruptedError,
  RequestTimeoutError,
} from '../errors/client.errors.js';
import { notInTime } from '../publish/publish.messages.js';
import { faultOf } from '../redis/connect/connection-faults.js';
import { type Codec, decodeEnvelope, type RawFields } from '../wire/codec.js';
import { readReply, type Reply, requestIdOf } from '../wire/request-reply-fields.js';

/** The same text as in Nest's own transports. */
const NO_MESSAGE_HANDLER = 'There is no matching message handler defined in the remote service.';

/** A request that waits for replies. It takes those of one run of its handler. */
export class PendingRequest {
  /** Resolves when nothing more will come. */
  readonly ended: Promise<void>;
  private hasEnded = false;
  /** Whether the handler's side knows by itself that nobody waits: it has ended, or the time is over. */
  private endIsKnown = false;
  private onEnd: () => void = () => undefined;
  /** The run whose replies it takes, and the latest of them. It is the first run that replied. */
  private followed: Pick<Reply, 'run' | 'group' | 'attempt' | 'number'> | undefined;
  private readonly groupsWithoutHandler = new Set<string>();
  private timer: NodeJS.Timeout | undefined;

  /** @param callback Nest's: takes values, an error, or the end */
  constructor(
    private readonly stream: string,
    private readonly messageId: string,
    private readonly timeoutMs: number,
    private readonly codec: Codec,
    private readonly callback: (packet: WritePacket) => void,
  ) {
    this.ended = new Promise((resolve) => (this.onEnd = resolve));
  }

  /** Fails if this takes longer than the given time. @param client whose connection it waits for */
  waitForConnection(publishTimeoutMs: number, client: Redis): void {
    const { stream, messageId, timeoutMs } = this;
    if (publishTimeoutMs >= timeoutMs) return this.waitForReply(timeoutMs);
    this.startTimer(publishTimeoutMs, () => {
      const fault = faultOf(client);
      const reason = notInTime(publishTimeoutMs, false, fault);
      const options = fault?.cause === undefined ? {} : { cause: fault.cause };
      return new PublishError(stream, messageId, false, reason, options);
    });
  }

  /** Fails if this takes longer than the given time. */
  waitForReply(withinMs: number): void {
    const { stream, messageId, timeoutMs } = this;
    this.startTimer(withinMs, () => {
      this.endIsKnown = true;
      return new RequestTimeoutError(stream, messageId, timeoutMs);
    });
  }

  take(reply: Reply): void {
    if (this.hasEnded) return;
    if (reply.kind === 'nobody') return this.takeNobody(reply.group, reply.groups);
    if (!this.accepts(reply)) return;
    this.waitForReply(this.timeoutMs);
    this.endIsKnown = reply.kind !== 'next';
    if (reply.kind === 'error') return this.fail(reply.error);
    if (reply.kind === 'end') return this.end({ isDisposed: true });
    let response: unknown;
    try {
      const { codec, stream } = this;
      response =
        reply.value.length === 0 ? undefined : decodeEnvelope(codec, stream, reply.value).payload;
    } catch (error) {
      return this.fail(error);
    }
    if (reply.kind === 'last') this.end({ response, isDisposed: true });
    else this.callback({ response });
  }

  fail(err: unknown): void {
    this.end({ err });
  }

  /**
   * Its caller no longer wants the reply, or has got it.
   *
   * @returns whether the handler's side has to be told
   */
  forget(): boolean {
    this.finish();
    return !this.endIsKnown;
  }

  /** There is no handler only if no group of the stream has one. */
  private takeNobody(group: string, groups: number): void {
    this.groupsWithoutHandler.add(group);
    if (!(this.groupsWithoutHandler.size >= groups)) return;
    this.endIsKnown = true;
    this.fail(NO_MESSAGE_HANDLER);
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
    const { stream, messageId } = this;
    this.fail(new ReplyInterruptedError(stream, messageId));
    return false;
  }

  private startTimer(ms: number, failure: () => Error): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fail(failure()), ms);
  }

  private end(packet: WritePacket): void {
    if (this.hasEnded) return;
    this.finish();
    this.callback(packet);
  }

  private finish(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    clearTimeout(this.timer);
    this.onEnd();
  }
}

/** The requests of a client that wait for replies, by their IDs. */
export class PendingRequests {
  private readonly byId = new Map<string, PendingRequest>();

  get size(): number {
    return this.byId.size;
  }

  has(id: string, request: PendingRequest): boolean {
    return this.byId.get(id) === request;
  }

  /** Keeps a request until it ends. */
  add(id: string, request: PendingRequest): void {
    this.byId.set(id, request);
    void request.ended.then(() => this.remove(id));
  }

  remove(id: string): void {
    this.byId.delete(id);
  }

  /** @param fields an entry of the inbox. Anybody who may write there can write anything: what nobody waits for is not read. */
  take(fields: RawFields): void {
    const request = this.byId.get(requestIdOf(fields) ?? '');
    const reply = request === undefined ? undefined : readReply(fields);
    if (reply !== undefined) request?.take(reply);
  }

  failAll(error: Error): void {
    for (const request of this.byId.values()) request.fail(error);
  }
}
