import { type DynamicModule, Module } from '@nestjs/common';

import { StreamedCqrsModule } from '../streamed-cqrs.module.js';
import { CommandsController } from './commands.controller.js';
import { CreateUserHandler } from './create-user.handler.js';

/** The one group that reads commands: each is executed by one of its instances. */
@Module({})
export class UsersModule {
  static register(connection: string): DynamicModule {
    return {
      module: UsersModule,
      imports: [StreamedCqrsModule.register(connection, 'users')],
      controllers: [CommandsController],
      providers: [CreateUserHandler],
    };
  }
}
