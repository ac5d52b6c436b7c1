import { type DynamicModule, Logger, Module } from '@nestjs/common';
import { EventsHandler, type IEventHandler } from '@nestjs/cqrs';

import { EventsController } from '../events.controller.js';
import { UserCreated } from '../messages.js';
import { StreamedCqrsModule } from '../streamed-cqrs.module.js';

@EventsHandler(UserCreated)
class WelcomeHandler implements IEventHandler<UserCreated> {
  private readonly logger = new Logger('Mail');

  handle({ name }: UserCreated): void {
    this.logger.log(`welcome, ${name}`);
  }
}

@Module({})
export class MailModule {
  static register(connection: string): DynamicModule {
    return {
      module: MailModule,
      imports: [StreamedCqrsModule.register(connection, 'mail')],
      controllers: [EventsController],
      providers: [WelcomeHandler],
    };
  }
}
