import type { WritePacket } from '@nestjs/microservices';
import type { LoggerService } from '@nestjs/common';
import { requestFields } from '../wire/request-fields.js';
import { ConnectionClosedError } from '../errors/redis.errors.js';
import { DuplicateRequestError, PublishError } from '../errors/client.errors.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { OpenedConnection } from '../redis/connect/opened-connection.js';
import * as text from '../publish/client.messages.js';
import type {
  EncodedMessage,
  MessageDraft,
  MessageEncoder,
  OutgoingPacket,
} from '../publish/message-encoder.js';
import { PendingRequest } from './pending-request.js';
import type { PublishReceipt } from '../publish/publish-receipt.js';
import type { Publisher } from '../publish/publishing.js';
import { ReplyInbox } from './reply-inbox.js';
import type { SendingOrder } from '../publish/sending-order.js';
import { isPublishingHeard, publishTold } from '../publish/told-publishing.js';

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
    let draft: MessageDraft;
    try {
      draft = encoder.draftRequest(packet);
    } catch (err) {
      callback({ err });
      return () => undefined;
    }
    const { stream } = draft;
    const { messageId } = draft.envelope;
    const id = (++this.lastNumber).toString(36);
    const request = new PendingRequest({
      stream,
      messageId,
      timeoutMs: options.requestTimeoutMs,
      codec: options.codecs.plain(stream),
      callback,
      onEnd: () => void this.pending.delete(id),
    });
    const begin = (message: EncodedMessage): Promise<PublishReceipt> =>
      this.begin(id, request, message);
    const publish = async (): Promise<PublishReceipt> =>
      isPublishingHeard() ? publishTold(encoder, draft, begin) : begin(encoder.write(draft));
    publish().then(
      ({ duplicate, entryId }) => {
        if (duplicate) request.fail(new DuplicateRequestError(stream, messageId, entryId ?? ''));
      },
      (error: unknown) => request.fail(error),
    );
    return () => {
      if (request.forget()) this.inbox.leave(id);
    };
  }

  private async begin(
    id: string,
    request: PendingRequest,
    message: EncodedMessage,
  ): Promise<PublishReceipt> {
    const { publishTimeoutMs, requestTimeoutMs } = this.parts.options;
    this.pending.set(id, request);
    this.inbox.wake();
    const untilMs = performance.now() + requestTimeoutMs;
    if (!this.inbox.isKept) {
      request.waitForConnection(publishTimeoutMs);
      await this.inbox.keep();
    }
    return this.publish(id, request, message, untilMs);
  }

  private publish(
    id: string,
    request: PendingRequest,
    message: EncodedMessage,
    untilMs: number,
  ): Promise<PublishReceipt> {
    const { stream, messageId } = message;
    if (this.pending.get(id) !== request) {
      return Promise.reject(new PublishError(stream, messageId, false, text.NOBODY_WAITS));
    }
    const timeoutMs = Math.max(1, Math.ceil(untilMs - performance.now()));
    request.waitForReply(timeoutMs);
    const fields = requestFields({ id, inbox: this.inbox.key, timeoutMs });
    const { order, publisher } = this.parts;
    const entry = { ...message, fields: [...message.fields, ...fields] };
    return order.send(stream, message.whenValid, () => publisher.publish(entry));
  }

  /** Ends all that waits. */
  close(): void {
    for (const pending of this.pending.values()) pending.fail(new ConnectionClosedError('replies'));
    this.inbox.close();
  }
}
