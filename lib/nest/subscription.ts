import { sharedSymbol } from '../errors/copies.js';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { checkOptions } from '../options/check-options.js';
import { schemas } from '../options/options.schema.js';
import { subscriptionShape } from '../options/subscription.schema.js';
import type { SubscriptionOptions } from '../options/subscription-options.js';

/**
 * The transport's ID: `@EventPattern('orders', REDIS_STREAMS, subscription())` is for this transport alone, in an app
 * that has others too.
 */
export const REDIS_STREAMS = sharedSymbol('transport');

/** The key of a subscription's options in the extras of its pattern. */
const EXTRA = 'redisStreamsSubscription';

/** Extras for `@EventPattern`, made by {@link subscription}. */
export interface SubscriptionExtras {
  readonly [EXTRA]: SubscriptionOptions;
}

/**
 * Sets options for one pattern, over those of its server. Handlers of one stream must not disagree.
 *
 * @throws InvalidOptionsError if an option is unknown or out of range
 * @example
 * ```ts
 * @EventPattern<string>('orders', subscription({ startFrom: 'beginning', concurrency: 8 }))
 * async onOrder(@Payload() order: Order, @Ctx() context: RedisStreamsContext) {}
 * ```
 */
export function subscription(options: SubscriptionOptions = {}): SubscriptionExtras {
  checkOptions(schemas.subscription, options, 'subscription');
  return { [EXTRA]: { ...options } };
}

/**
 * The subscription options in a handler's extras.
 *
 * @throws InvalidOptionsError if the options were not made by {@link subscription}, or if others stand beside them, which would have no effect
 */
export function subscriptionOf(extras: unknown): SubscriptionOptions {
  if (typeof extras !== 'object' || extras === null) return {};
  const outside = Object.keys(extras).find((key) => key in subscriptionShape);
  if (outside !== undefined) {
    throw new InvalidOptionsError(
      outside,
      "an option beside subscription(), in the extras of a handler's pattern",
      `inside: @EventPattern('orders', subscription({ ${outside}: … }))`,
    );
  }
  if (!(EXTRA in extras)) return {};
  const options = extras[EXTRA];
  checkOptions(schemas.subscription, options, 'subscription');
  return options as SubscriptionOptions;
}
