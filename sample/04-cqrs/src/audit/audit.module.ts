import { type DynamicModule, Logger, Module } from '@nestjs/common';
import { EventsHandler, type IEventHandler } from '@nestjs/cqrs';

import { EventsController } from '../events.controller.js';
import { UserCreated } from '../messages.js';
import { StreamedCqrsModule } from '../streamed-cqrs.module.js';

/** Fails the first time, to show that the event is delivered again to this service and to no other. */
@EventsHandler(UserCreated)
class AuditHandler implements IEventHandler<UserCreated> {
  private readonly logger = new Logger('Audit');
  private hasFailed = false;

  handle({ id, name }: UserCreated): void {
    if (!this.hasFailed) {
      this.hasFailed = true;
      this.logger.log(`could not write ${name} down`);
      throw new Error('the disk is full');
    }
    this.logger.log(`wrote down ${name} (${id})`);
  }
}

@Module({})
export class AuditModule {
  static register(connection: string): DynamicModule {
    return {
      module: AuditModule,
      imports: [StreamedCqrsModule.register(connection, 'audit')],
      controllers: [EventsController],
      providers: [AuditHandler],
    };
  }
}
