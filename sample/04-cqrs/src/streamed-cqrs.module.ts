import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { RedisStreamsModule, WatermillCodec } from 'nestjs-redis-streams';

import { StreamedCommands } from './streamed-commands.js';
import { StreamedEvents } from './streamed-events.js';

/** Keeps the sample apart from your own streams. natricine gets it with `topic_prefix`. */
export const KEY_PREFIX = 'sample-04:';

/** `@nestjs/cqrs` with streams between its services. Each service is a group: it gets all events, and its own commands. */
@Module({})
export class StreamedCqrsModule {
  static register(connection: string, group: string): DynamicModule {
    return {
      module: StreamedCqrsModule,
      imports: [
        CqrsModule.forRoot({ rethrowUnhandled: true }),
        RedisStreamsModule.forRoot({
          connection,
          group,
          keyPrefix: KEY_PREFIX,
          // As natricine's groups do.
          startFrom: 'beginning',
          // The entries of natricine, so that its services can take part.
          codec: new WatermillCodec({ uuidKey: '_natricine_message_uuid' }),
        }),
      ],
      providers: [StreamedCommands, StreamedEvents],
      exports: [StreamedCommands, StreamedEvents, CqrsModule],
    };
  }
}
