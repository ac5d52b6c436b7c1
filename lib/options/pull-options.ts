import type { z } from 'zod';
import { object, trueOrFalse, withMethods } from './option-kinds.js';
import { serverShape } from './options.schema.js';
import { blockingHasRetries, noBlocking, subscriptionShape } from './subscription.schema.js';
import type { RedisStreamsServerOptions } from './server-options.js';
import type { SubscriptionOptions } from './subscription-options.js';

/** What is for several handlers of a message, and for names without one: a pull has one loop, which gets every message. */
type ForHandlers = 'handlers' | 'unhandled';

/** Options of `RedisStreamsPull`. Each `from()` can override those of {@link SubscriptionOptions}. */
export type RedisStreamsPullOptions = Omit<
  RedisStreamsServerOptions,
  ForHandlers | 'maintenance' | 'name'
>;

/** Options of one `from()`. `concurrency` is how many messages the loop may have that it has not settled. */
export interface PullOptions extends Omit<SubscriptionOptions, ForHandlers> {
  /**
   * Ends the loop once the group has finished everything: no entry is unread, pending (for any member) or waiting for a retry. For
   * scripts that empty a stream and exit. As long as new messages arrive, the loop goes on. It does not wait for delayed
   * messages that are not due yet.
   *
   * @default false: the loop waits for more
   */
  untilEmpty?: boolean;
  /**
   * Ends the loop when it is aborted, without an error: no more messages are handed out, and the loop ends once those that it
   * has are settled, or after `shutdown.drainTimeoutMs`.
   *
   * @default none
   */
  signal?: AbortSignal;
}

const withoutHandlers = (shape: z.ZodRawShape): z.ZodRawShape => {
  const { handlers: _handlers, unhandled: _unhandled, maintenance: _maintenance, ...rest } = shape;
  return rest;
};

/** One schema for the options of the class, and one for those of a loop. */
export const pullSchemas = {
  class: object(
    withoutHandlers(serverShape),
    'an object of options of RedisStreamsPull, with a group',
  ).refine(blockingHasRetries, noBlocking),
  from: object(
    {
      ...withoutHandlers(subscriptionShape),
      untilEmpty: trueOrFalse,
      signal: withMethods(['addEventListener', 'throwIfAborted'], 'an AbortSignal'),
    },
    'an object of subscription options, untilEmpty and signal',
  ).refine(blockingHasRetries, noBlocking),
};
