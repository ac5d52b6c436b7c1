/**
 * The transport's ID: `@EventPattern('orders', REDIS_STREAMS, subscription())` is for this transport alone, in an app
 * that has others too.
 */
export const REDIS_STREAMS = Symbol('REDIS_STREAMS');
