import { Injectable } from '@nestjs/common';
import {
  ClientRedisStreams,
  type PublishReceipt,
  RedisStreamsRecordBuilder,
} from 'nestjs-redis-streams';
import { firstValueFrom } from 'rxjs';

/** Sends commands to the service that handles them, wherever it runs. */
@Injectable()
export class StreamedCommands {
  constructor(private readonly client: ClientRedisStreams) {}

  /** Once this resolves, Redis has the command: it will be executed. */
  send(command: { readonly id: string }): Promise<PublishReceipt> {
    const { name } = command.constructor;
    const record = new RedisStreamsRecordBuilder(command)
      .setMessageId(`${name}:${command.id}`)
      .build();
    return firstValueFrom(this.client.emit({ stream: 'commands', name }, record));
  }
}
