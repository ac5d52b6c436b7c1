import { Controller } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';

import { revived, UserCreated } from './messages.js';
import { StreamedEvents } from './streamed-events.js';
import { eventTopic } from './topics.js';

/** Passes events from the stream to the `@EventsHandler`s of a service. */
@Controller()
export class EventsController {
  constructor(private readonly events: StreamedEvents) {}

  @EventPattern<string>(eventTopic(UserCreated))
  userCreated(@Payload() payload: UserCreated): Promise<void> {
    return this.events.handle(revived(UserCreated, payload));
  }
}
