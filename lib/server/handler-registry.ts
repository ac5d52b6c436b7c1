import { inspect, isDeepStrictEqual } from 'node:util';
import type { MessageHandler } from '@nestjs/microservices';
import type { NamedHandler } from '../consumer/handlers-by-name.js';
import { InvalidOptionsError } from '../errors/invalid-options.error.js';
import { resolveRetry, resolveSubscription } from '../options/resolve-options.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import type { StreamPattern } from '../options/stream-pattern.js';
import type { SubscriptionOptions } from '../options/subscription-options.js';
import { subscriptionOf } from './subscription.js';

/** A stream that handlers ask for, with all of them, whatever names they want. */
export interface Subscription {
  readonly stream: string;
  readonly handlers: readonly NamedHandler[];
  readonly options: ResolvedSubscription;
}

interface Registered {
  readonly handlers: NamedHandler[];
  readonly options: Map<string, unknown>;
  /** What holds for requests alone. */
  readonly requestOptions: Map<string, unknown>;
}

/**
 * The handlers by stream. Nest would chain those of one pattern, and then lose the failure of one when another ends
 * first; here they are kept apart.
 */
export class HandlerRegistry {
  private readonly byStream = new Map<string, Registered>();

  constructor(private readonly base: ResolvedSubscription) {}

  /**
   * @param answers whether the handler is for requests
   * @throws InvalidOptionsError where the handler's options disagree with those of another one of `stream`
   */
  add(
    { stream, name: wanted }: StreamPattern,
    handler: MessageHandler,
    extras: unknown,
    answers: boolean,
  ): void {
    const registered: Registered = this.byStream.get(stream) ?? {
      handlers: [],
      options: new Map(),
      requestOptions: new Map(),
    };
    for (const [name, value] of Object.entries(subscriptionOf(extras))) {
      if (value === undefined) continue;
      // Events are tried again by default, requests are not: each kind has a policy of its own.
      const options = answers && name === 'retry' ? registered.requestOptions : registered.options;
      const other = options.get(name);
      if (other !== undefined && !isDeepStrictEqual(other, value)) {
        throw new InvalidOptionsError(
          `subscription.${name}`,
          `${inspect(value)} by one handler of stream "${stream}", ${inspect(other)} by another`,
          'the same by all handlers of a stream, or set by one of them',
        );
      }
      options.set(name, value);
    }
    registered.handlers.push({ handler, name: wanted, answers });
    this.byStream.set(stream, registered);
  }

  subscriptions(): Subscription[] {
    return [...this.byStream].map(([stream, { handlers, options, requestOptions }]) => {
      const resolved = resolveSubscription(this.base, optionsIn(options));
      const { retry } = optionsIn(requestOptions);
      return {
        stream,
        handlers,
        options:
          retry === undefined ? resolved : { ...resolved, requestRetry: resolveRetry(retry) },
      };
    });
  }
}

const optionsIn = (options: ReadonlyMap<string, unknown>): SubscriptionOptions =>
  Object.fromEntries(options);
