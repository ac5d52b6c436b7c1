import type { LoggerService } from '@nestjs/common';
import type { MessageHandler } from '@nestjs/microservices';
import { inspect, isDeepStrictEqual } from 'node:util';
import type { NamedHandler } from '../consume/handlers/invoker.js';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { resolveRetry, resolveSubscription } from '../options/resolve-options.js';
import {
  DEFAULTS,
  type ResolvedServerOptions,
  type ResolvedSubscription,
} from '../options/resolved-options.js';
import type { StreamPattern } from '../options/stream-pattern.js';
import type { RetryOptions, SubscriptionOptions } from '../options/subscription-options.js';
import { FieldCodec } from '../wire/field.codec.js';
import { isWildcard, requireKeysOfItsOwn, wildcardMatcher } from '../wire/stream-names.js';
import * as text from './nest.messages.js';
import { subscriptionOf } from './subscription.js';

const DEFAULT_ATTEMPTS = DEFAULTS.subscription.retry.maxAttempts;

/** A stream with all of its handlers, for any names of messages. */
export interface Subscription {
  readonly stream: string;
  readonly handlers: readonly NamedHandler[];
  readonly options: ResolvedSubscription;
  /** The wildcards that match it. */
  readonly wildcards: readonly string[];
}

interface Registered extends NamedHandler {
  /** A stream, or a wildcard. */
  readonly target: string;
  readonly matches: (stream: string) => boolean;
  readonly options: SubscriptionOptions;
}

/**
 * The handlers by stream. Nest would chain those of one pattern, and then lose the failure of one if another ends
 * first; here they are kept apart. All handlers that match a stream, by its name or by a wildcard, get its messages.
 */
export class HandlerRegistry {
  private readonly registered: Registered[] = [];

  constructor(private readonly base: ResolvedSubscription) {}

  /**
   * @param answers whether the handler is for requests
   * @throws InvalidOptionsError if its options disagree with those of another handler of the stream, or with the server's
   */
  add(
    { stream: target, name }: StreamPattern,
    handler: MessageHandler,
    extras: unknown,
    answers: boolean,
  ): void {
    const matches = isWildcard(target)
      ? wildcardMatcher(target)
      : (stream: string): boolean => stream === target;
    this.registered.push({
      target,
      matches,
      handler,
      name,
      answers,
      options: subscriptionOf(extras),
    });
    for (const stream of this.streams) if (matches(stream)) this.subscriptionTo(stream);
    const sameTarget = this.registered.filter((other) => other.target === target);
    resolveSubscription(this.base, mergedOptions(target, sameTarget).options);
  }

  /** The streams that handlers name. */
  subscriptions(): Subscription[] {
    return this.streams.map((stream) => this.subscriptionTo(stream));
  }

  /**
   * A stream that some handler matches.
   *
   * @throws InvalidOptionsError if handlers that match it by different wildcards disagree
   */
  subscriptionTo(stream: string): Subscription {
    const matching = this.registered.filter(({ matches }) => matches(stream));
    const { options, requestRetry } = mergedOptions(stream, matching);
    const resolved = resolveSubscription(this.base, options);
    return {
      stream,
      handlers: matching.map(({ handler, name, answers }) => ({ handler, name, answers })),
      options:
        requestRetry === undefined
          ? resolved
          : { ...resolved, requestRetry: resolveRetry(requestRetry) },
      wildcards: this.wildcards.filter((wildcard) =>
        matching.some(({ target }) => target === wildcard),
      ),
    };
  }

  /** What handlers, or the server, set for a target without any effect: a text for each target. */
  get optionsWithoutEffect(): string[] {
    const { base } = this;
    return this.targets.flatMap((target) => {
      const same = this.registered.filter((other) => other.target === target);
      const { options: own, requestRetry } = mergedOptions(target, same);
      if ((own.delivery ?? base.delivery) !== 'at-most-once') return [];
      const isOfServer = own.delivery === undefined && own.retry === undefined;
      const isSet = base.retry.maxAttempts !== DEFAULT_ATTEMPTS;
      const retries = [own.retry, requestRetry, isOfServer && isSet ? base.retry : undefined];
      const maxAttempts = Math.max(...retries.map((retry) => retry?.maxAttempts ?? 1));
      return maxAttempts > 1 ? [text.triesOnce(target, maxAttempts)] : [];
    });
  }

  get wildcards(): string[] {
    return this.targets.filter(isWildcard);
  }

  private get streams(): string[] {
    return this.targets.filter((target) => !isWildcard(target));
  }

  private get targets(): string[] {
    return [...new Set(this.registered.map(({ target }) => target))];
  }
}

/** What handlers set for all messages of a stream, and for its requests alone. */
interface MergedOptions {
  readonly options: SubscriptionOptions;
  readonly requestRetry: RetryOptions | undefined;
}

/** @throws InvalidOptionsError if the handlers disagree */
function mergedOptions(stream: string, handlers: readonly Registered[]): MergedOptions {
  const all = new Map<string, unknown>();
  const ofRequests = new Map<string, unknown>();
  for (const handler of handlers) {
    for (const [name, value] of Object.entries(handler.options)) {
      if (value === undefined) continue;
      // Events are tried again by default, requests are not: each kind has a policy of its own.
      const options = handler.answers && name === 'retry' ? ofRequests : all;
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
  const { retry: requestRetry }: SubscriptionOptions = Object.fromEntries(ofRequests);
  return { options: Object.fromEntries(all), requestRetry };
}

/**
 * Checks whether a stream has keys of its own, and whether its codec carries what its handlers need.
 *
 * @throws InvalidStreamNameError or InvalidOptionsError if not
 */
export function checkStream(
  { stream, handlers }: Subscription,
  {
    codecs,
    keyPrefix,
    partitions,
  }: Pick<ResolvedServerOptions, 'codecs' | 'keyPrefix' | 'partitions'>,
): void {
  requireKeysOfItsOwn(keyPrefix, stream, partitions);
  if (!(codecs.plain(stream) instanceof FieldCodec)) return;
  const refuse = (allowed: string): never => {
    throw new InvalidOptionsError(
      `streams.${codecs.keyOf(stream) ?? stream}.codec`,
      'a FieldCodec',
      allowed,
    );
  };
  if (handlers.some(({ answers }) => answers)) refuse(text.ONE_FIELD);
  const named = handlers.find(({ name }) => name !== undefined && name !== stream);
  if (named?.name !== undefined) refuse(text.noNames(named.name));
}

/**
 * Checks what handlers want against what is set for their streams. Otherwise they would wait for messages that never come. Logs
 * which options have no effect.
 *
 * @throws InvalidOptionsError for the first contradiction
 */
export function checkSubscriptions(
  registry: HandlerRegistry,
  { partitions }: Pick<ResolvedServerOptions, 'partitions'>,
  logger: LoggerService,
): void {
  for (const warning of registry.optionsWithoutEffect) logger.warn(warning);
  const named = registry.subscriptions();
  for (const [stream, count] of partitions) {
    if (named.some((subscription) => subscription.stream === stream)) continue;
    const wildcard = registry.wildcards.find((each) => wildcardMatcher(each)(stream));
    if (wildcard === undefined) continue;
    throw new InvalidOptionsError(
      `streams.${stream}.partitions`,
      String(count),
      text.wildcardOnly(wildcard),
    );
  }
}
