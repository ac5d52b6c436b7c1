import { inspect, isDeepStrictEqual } from 'node:util';
import type { MessageHandler } from '@nestjs/microservices';
import type { NamedHandler } from '../consume/handlers/handlers-by-name.js';
import { InvalidOptionsError } from '../errors/options.errors.js';
import { isWildcard, wildcardMatcher } from '../wire/wildcard.js';
import { resolveRetry, resolveSubscription } from '../options/resolve-options.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import type { RetryOptions, SubscriptionOptions } from '../options/subscription-options.js';
import type { StreamPattern } from '../options/stream-pattern.js';
import { subscriptionOf } from './subscription.js';

/** A stream that handlers ask for, with all of them, whatever names they want. */
export interface Subscription {
  readonly stream: string;
  readonly handlers: readonly NamedHandler[];
  readonly options: ResolvedSubscription;
  /** The wildcards that mean it. */
  readonly wildcards: readonly string[];
}

interface Registered extends NamedHandler {
  /** What it asks for: a stream, or a wildcard. */
  readonly target: string;
  readonly isFor: (stream: string) => boolean;
  readonly options: SubscriptionOptions;
}

/**
 * The handlers by stream. Nest would chain those of one pattern, and then lose the failure of one when another ends
 * first; here they are kept apart. All that ask for a stream get its messages, by its name or by a wildcard.
 */
export class HandlerRegistry {
  private readonly registered: Registered[] = [];

  constructor(private readonly base: ResolvedSubscription) {}

  /**
   * @param answers whether the handler is for requests
   * @throws InvalidOptionsError where the handler's options disagree with those of another one of `stream`, or with the server's
   */
  add(
    { stream: target, name }: StreamPattern,
    handler: MessageHandler,
    extras: unknown,
    answers: boolean,
  ): void {
    const isFor = isWildcard(target)
      ? wildcardMatcher(target)
      : (stream: string): boolean => stream === target;
    this.registered.push({
      target,
      isFor,
      handler,
      name,
      answers,
      options: subscriptionOf(extras),
    });
    for (const stream of this.streams) if (isFor(stream)) this.subscriptionTo(stream);
    const its = this.registered.filter((other) => other.target === target);
    resolveSubscription(this.base, optionsOf(target, its).options);
  }

  /** Of the streams that handlers name. */
  subscriptions(): Subscription[] {
    return this.streams.map((stream) => this.subscriptionTo(stream));
  }

  /**
   * Of any stream that some handler asks for.
   *
   * @throws InvalidOptionsError where handlers that ask for it by different wildcards disagree
   */
  subscriptionTo(stream: string): Subscription {
    const asking = this.askingFor(stream);
    const { options, requestRetry } = optionsOf(stream, asking);
    const resolved = resolveSubscription(this.base, options);
    return {
      stream,
      handlers: asking.map(({ handler, name, answers }) => ({ handler, name, answers })),
      options:
        requestRetry === undefined
          ? resolved
          : { ...resolved, requestRetry: resolveRetry(requestRetry) },
      wildcards: this.wildcards.filter((wildcard) =>
        asking.some(({ target }) => target === wildcard),
      ),
    };
  }

  /** What handlers ask for without naming it. */
  get wildcards(): string[] {
    return this.targets.filter(isWildcard);
  }

  private get streams(): string[] {
    return this.targets.filter((target) => !isWildcard(target));
  }

  private get targets(): string[] {
    return [...new Set(this.registered.map(({ target }) => target))];
  }

  private askingFor(stream: string): Registered[] {
    return this.registered.filter(({ isFor }) => isFor(stream));
  }
}

/** What handlers set for all messages of a stream, and for its requests alone. */
interface SetOptions {
  readonly options: SubscriptionOptions;
  readonly requestRetry: RetryOptions | undefined;
}

/** @throws InvalidOptionsError where they disagree */
function optionsOf(stream: string, handlers: readonly Registered[]): SetOptions {
  const all = new Map<string, unknown>();
  const ofRequests = new Map<string, unknown>();
  for (const its of handlers) {
    for (const [name, value] of Object.entries(its.options)) {
      if (value === undefined) continue;
      // Events are tried again by default, requests are not: each kind has a policy of its own.
      const options = its.answers && name === 'retry' ? ofRequests : all;
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
  }
  const { retry: requestRetry } = optionsIn(ofRequests);
  return { options: optionsIn(all), requestRetry };
}

const optionsIn = (options: ReadonlyMap<string, unknown>): SubscriptionOptions =>
  Object.fromEntries(options);
