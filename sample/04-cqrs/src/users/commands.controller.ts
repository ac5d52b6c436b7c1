import { Controller } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { EventPattern, Payload } from '@nestjs/microservices';

import { CreateUser, revived } from '../messages.js';
import { commandTopic } from '../topics.js';

@Controller()
export class CommandsController {
  constructor(private readonly commands: CommandBus) {}

  /** An error thrown by the command handler is a failed attempt: the command is retried by policy. */
  @EventPattern<string>(commandTopic(CreateUser))
  createUser(@Payload() payload: CreateUser): Promise<void> {
    return this.commands.execute(revived(CreateUser, payload));
  }
}
