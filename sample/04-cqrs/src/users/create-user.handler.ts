import { Logger } from '@nestjs/common';
import { CommandHandler, EventBus, type ICommandHandler } from '@nestjs/cqrs';

import { CreateUser, UserCreated } from '../messages.js';

@CommandHandler(CreateUser)
export class CreateUserHandler implements ICommandHandler<CreateUser> {
  private readonly logger = new Logger('Users');

  constructor(private readonly events: EventBus) {}

  async execute({ id, name }: CreateUser): Promise<void> {
    this.logger.log(`created ${name}`);
    // The command is done once Redis has the event: if the service dies before, it is executed again.
    await this.events.publish(new UserCreated(id, name));
  }
}
