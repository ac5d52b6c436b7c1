import { checkOptions } from '../options/check-options.js';
import { schemas } from '../options/options.schema.js';
import type { SubscriptionOptions } from '../options/subscription-options.js';

/** Where a subscription's options lie among the extras of its pattern. */
const EXTRA = 'redisStreamsSubscription';

/** The extras that `@EventPattern` takes along, made by {@link subscription}. */
export interface SubscriptionExtras {
  readonly [EXTRA]: SubscriptionOptions;
}

/**
 * Sets options for one pattern, over those of its server. Handlers of the same stream must not disagree.
 *
 * @throws InvalidOptionsError where an option is unknown or out of range
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
 * The options that a handler's extras hold; none where it has none.
 *
 * @throws InvalidOptionsError where they were not made by {@link subscription}
 */
export function subscriptionOf(extras: unknown): SubscriptionOptions {
  if (typeof extras !== 'object' || extras === null || !(EXTRA in extras)) return {};
  const options = extras[EXTRA];
  checkOptions(schemas.subscription, options, 'subscription');
  return options as SubscriptionOptions;
}
