import { AsyncResource } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { LoggerService } from '@nestjs/common';
import type { WritePacket } from '@nestjs/microservices';
import { DuplicateRequestError, NoConsumerError, PublishError } from '../errors/client.errors.js';
import { ConnectionClosedError } from '../errors/redis.errors.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { EntryPublisher, PublishReceipt } from '../publish/entry-publisher.js';
import type {
  EncodedMessage,
  MessageDraft,
  MessageEncoder,
  OutgoingPacket,
} from '../publish/message-encoder.js';
import { type MessagePublisher, withEvents } from '../publish/message-publisher.js';
import type { OpenedConnection } from '../redis/connect/opened-connection.js';
import { cleanCause, errorText } from '../redis/server/redis-errors.js';
import { requestFields } from '../wire/request-reply-fields.js';
import { PendingRequest, PendingRequests } from './pending-request.js';
import { Readers } from './readers.js';
import { ReplyInbox } from './reply-inbox.js';

/** The requests of one client. Each is an entry like any other; all replies arrive in the client's one inbox. */
export class Requests {
  private readonly pending = new PendingRequests();
  private readonly inbox: ReplyInbox;
  private readonly readers: Readers;

  constructor(
    private readonly options: ResolvedClientOptions,
    private readonly encoder: MessageEncoder,
    private readonly messages: MessagePublisher,
    private readonly publisher: EntryPublisher,
    private readonly commands: OpenedConnection,
    logger: LoggerService,
  ) {
    this.inbox = new ReplyInbox(options, commands, this.pending, logger);
    this.readers = new Readers(commands.client, options.keyPrefix);
  }

  /**
   * @param callback Nest's: takes values, an error, or the end
   * @returns cancels the request
   */
  send(packet: OutgoingPacket, callback: (packet: WritePacket) => void): () => void {
    const { encoder, options } = this;
    let draft: MessageDraft;
    try {
      draft = encoder.draftRequest(packet);
    } catch (err) {
      callback({ err });
      return () => undefined;
    }
    const { stream } = draft;
    const { messageId } = draft.envelope;
    // Nobody can guess it, and so nobody can reply who has not seen the request.
    const id = randomUUID().replaceAll('-', '');
    const caller = new AsyncResource('REDIS_STREAMS_REQUEST');
    const request = new PendingRequest(
      stream,
      messageId,
      options.requestTimeoutMs,
      options.codecs.plain(stream),
      // Replies are read for all requests together, and each is given to its caller in the context of that caller.
      (reply) => caller.runInAsyncScope(callback, undefined, reply),
    );
    // An async function, so that what cannot be encoded is a rejection.
    const publish = async (): Promise<PublishReceipt> =>
      withEvents(encoder, draft, (changed) => this.publish(id, request, encoder.encode(changed)));
    publish().then(
      ({ duplicate, entryId }) => {
        if (duplicate) request.fail(new DuplicateRequestError(stream, messageId, entryId ?? ''));
      },
      (error: unknown) => request.fail(error),
    );
    return () => {
      this.pending.remove(id);
      if (request.forget()) this.inbox.leave(id);
    };
  }

  private async publish(
    id: string,
    request: PendingRequest,
    message: EncodedMessage,
  ): Promise<PublishReceipt> {
    const { options, messages, publisher } = this;
    const { stream, messageId } = message;
    this.pending.add(id, request);
    this.inbox.wake();
    const untilMs = performance.now() + options.requestTimeoutMs;
    if (this.inbox.isReady) this.inbox.checkSometimes();
    else {
      request.waitForConnection(options.publishTimeoutMs, this.commands.client);
      await this.inbox.makeReady().catch((error: unknown) => {
        throw new PublishError(stream, messageId, false, errorText(error), {
          cause: cleanCause(error),
        });
      });
    }
    if (!this.pending.has(id, request)) {
      throw new PublishError(stream, messageId, false, 'nobody waits for a reply any longer');
    }
    const timeoutMs = Math.max(1, Math.ceil(untilMs - performance.now()));
    request.waitForReply(timeoutMs);
    const marks = requestFields({ id, inbox: this.inbox.key, timeoutMs });
    const sent = messages.send({ ...message, fields: [...message.fields, ...marks] }, publisher);
    void this.failIfUnread(id, request, message);
    return sent;
  }

  /** Nobody waits for this question: it goes out together with the request. */
  private async failIfUnread(
    id: string,
    request: PendingRequest,
    { stream, key, messageId }: EncodedMessage,
  ): Promise<void> {
    const groups = await this.readers.ofUnread(stream, key);
    if (groups === undefined || !this.pending.has(id, request)) return;
    request.fail(new NoConsumerError(stream, messageId, groups));
  }

  /** Fails all pending requests. */
  close(): void {
    this.pending.failAll(new ConnectionClosedError('replies'));
    this.inbox.close();
  }
}
