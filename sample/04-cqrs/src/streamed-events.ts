import { Injectable } from '@nestjs/common';
import { EventBus, type IEvent, type IEventPublisher } from '@nestjs/cqrs';
import {
  ClientRedisStreams,
  type PublishReceipt,
  RedisStreamsRecordBuilder,
} from 'nestjs-redis-streams';
import { firstValueFrom, lastValueFrom, of } from 'rxjs';

/** What `EventBus.publish()` gives an event to: the stream, from which every service has it, this one too. */
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
    const { name } = event.constructor;
    const record = new RedisStreamsRecordBuilder(event).setMessageId(`${name}:${event.id}`).build();
    return firstValueFrom(this.client.emit({ stream: 'events', name }, record));
  }

  /**
   * Runs the `@EventsHandler`s of this service. The bus itself would not say how they ended: then a message whose handler failed
   * would be acknowledged. Its operators do, with `rethrowUnhandled`.
   */
  async handle(event: IEvent): Promise<void> {
    const runs = this.bus.eventOperators.map((operator) =>
      lastValueFrom(of(event).pipe(operator), { defaultValue: undefined }),
    );
    const ended = await Promise.allSettled(runs);
    for (const run of ended) if (run.status === 'rejected') throw run.reason;
  }
}
