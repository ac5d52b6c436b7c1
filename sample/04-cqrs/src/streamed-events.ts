import { Injectable } from '@nestjs/common';
import { EventBus, type IEvent, type IEventPublisher } from '@nestjs/cqrs';
import {
  ClientRedisStreams,
  type PublishReceipt,
  RedisStreamsRecordBuilder,
} from 'nestjs-redis-streams';
import { firstValueFrom, lastValueFrom, of } from 'rxjs';

import { eventTopic } from './topics.js';

/** Receives the events of `EventBus.publish()` and publishes them to the stream, from which every service, including this one, gets them. */
@Injectable()
export class StreamedEvents implements IEventPublisher {
  constructor(
    private readonly client: ClientRedisStreams,
    private readonly bus: EventBus,
  ) {
    bus.publisher = this;
  }

  /** A command that is executed twice publishes its event once: the message ID is the same. */
  publish<Event extends IEvent & { readonly id?: string }>(event: Event): Promise<PublishReceipt> {
    const record = new RedisStreamsRecordBuilder(event);
    if (event.id !== undefined) record.setMessageId(event.id);
    return firstValueFrom(this.client.emit(eventTopic(event.constructor), record.build()));
  }

  /**
   * Runs the `@EventsHandler`s of this service. The bus itself does not report how they ended, so a message whose handler
   * failed would be acknowledged. With `rethrowUnhandled` its operators do report it.
   */
  async handle(event: IEvent): Promise<void> {
    const runs = this.bus.eventOperators.map((operator) =>
      lastValueFrom(of(event).pipe(operator), { defaultValue: undefined }),
    );
    const ended = await Promise.allSettled(runs);
    for (const run of ended) if (run.status === 'rejected') throw run.reason;
  }
}
