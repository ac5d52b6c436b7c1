import { Injectable } from '@nestjs/common';
import {
  ClientRedisStreams,
  type PublishReceipt,
  RedisStreamsRecordBuilder,
} from 'nestjs-redis-streams';
import { firstValueFrom } from 'rxjs';

import { commandTopic } from './topics.js';

/** Sends commands to the service that handles them, wherever it runs: in Nest, or in Python with natricine. */
@Injectable()
export class StreamedCommands {
  constructor(private readonly client: ClientRedisStreams) {}

  /**
   * Once this resolves, Redis has the command: it will be executed.
   *
   * @param command its ID is the message ID, so it must be a UUID: natricine accepts nothing else
   */
  send(command: { readonly id: string }): Promise<PublishReceipt> {
    const record = new RedisStreamsRecordBuilder(command).setMessageId(command.id).build();
    return firstValueFrom(this.client.emit(commandTopic(command.constructor), record));
  }
}
