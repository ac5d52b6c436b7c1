import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { RedisStreamsModule } from 'nestjs-redis-streams';

import { StreamedCommands } from './streamed-commands.js';
import { StreamedEvents } from './streamed-events.js';

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
          keyPrefix: 'sample-04:',
          startFrom: 'beginning',
        }),
      ],
      providers: [StreamedCommands, StreamedEvents],
      exports: [StreamedCommands, StreamedEvents, CqrsModule],
    };
  }
}
