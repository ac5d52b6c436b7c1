import type { WritePacket } from '@nestjs/microservices';
import type { LoggerService } from '@nestjs/common';
import { requestFields } from '../codec/request-fields.js';
import { ConnectionClosedError } from '../errors/connection-closed.error.js';
import { DuplicateRequestError } from '../errors/duplicate-request.error.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { OpenedConnection } from '../redis/opened-connection.js';
import type { EncodedMessage, MessageEncoder, OutgoingPacket } from './message-encoder.js';
import { PendingRequest } from './pending-request.js';
import type { Publisher } from './publishing.js';
import { ReplyInbox } from './reply-inbox.js';
import type { SendingOrder } from './sending-order.js';

export interface RequestsParts {
  readonly options: ResolvedClientOptions;
  readonly encoder: MessageEncoder;
  readonly publisher: Publisher;
  readonly order: SendingOrder;
  readonly commands: OpenedConnection;
  readonly logger: LoggerService;
}

/** The requests of one client: each an entry like any other, whose replies come to the client's one inbox. */
export class Requests {
  private readonly pending = new Map<string, PendingRequest>();
  private readonly inbox: ReplyInbox;
  private lastNumber = 0;

  constructor(private readonly parts: RequestsParts) {
    const { options, commands, logger } = parts;
    this.inbox = new ReplyInbox({
      connection: options.connection,
      keyPrefix: options.keyPrefix,
      commands,
      logger,
      onReply: (reply) => this.pending.get(reply.id)?.take(reply),
      isAwaited: () => this.pending.size > 0,
    });
  }

  /**
   * @param callback Nest's, given what comes
   * @returns ends it
   */
  send(packet: OutgoingPacket, callback: (packet: WritePacket) => void): () => void {
    const { encoder, options } = this.parts;
    const timeoutMs = options.requestTimeoutMs;
    let message: EncodedMessage;
    try {
      message = encoder.encodeRequest(packet);
    } catch (err) {
      callback({ err });
      return () => undefined;
    }
    const { stream, messageId } = message;
    const id = (++this.lastNumber).toString(36);
    const codec = options.codecs.plain(stream);
    const onEnd = (): void => void this.pending.delete(id);
    const its = { stream, messageId, timeoutMs, codec, callback, onEnd };
    const request = new PendingRequest(its);
    this.pending.set(id, request);
    this.inbox.wake();
    const untilMs = performance.now() + timeoutMs;
    if (this.inbox.isKept) this.publish(id, request, message, untilMs);
    else {
      request.waitForConnection(options.publishTimeoutMs);
      this.inbox.keep().then(
        () => this.publish(id, request, message, untilMs),
        (error: unknown) => request.fail(error),
      );
    }
    return () => {
      if (request.forget()) this.inbox.leave(id);
    };
  }

  private publish(
    id: string,
    request: PendingRequest,
    message: EncodedMessage,
    untilMs: number,
  ): void {
    if (this.pending.get(id) !== request) return;
    const timeoutMs = Math.max(1, Math.ceil(untilMs - performance.now()));
    request.waitForReply(timeoutMs);
    const fields = requestFields({ id, inbox: this.inbox.key, timeoutMs });
    const { order, publisher } = this.parts;
    const entry = { ...message, fields: [...message.fields, ...fields] };
    order
      .send(message.stream, message.whenValid, () => publisher.publish(entry))
      .then(
        ({ duplicate, stream, messageId, entryId }) => {
          if (duplicate) request.fail(new DuplicateRequestError(stream, messageId, entryId ?? ''));
        },
        (error: unknown) => request.fail(error),
      );
  }

  /** Ends all that waits. */
  close(): void {
    for (const pending of this.pending.values()) pending.fail(new ConnectionClosedError('replies'));
    this.inbox.close();
  }
}
