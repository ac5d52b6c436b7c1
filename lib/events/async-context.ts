import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

/**
 * Runs user code in an async context of its own. What it enters there with `AsyncLocalStorage.enterWith()` is seen by what it
 * starts, and not by what runs after this call: other messages, and the loops of this package.
 */
export const inOwnContext = <Result>(run: () => Result): Result =>
  new AsyncResource('REDIS_STREAMS_CALL').runInAsyncScope(run);

/**
 * Starts something that outlives the call which needs it first, such as a connection. In the context of that call, it would keep
 * what the call entered, and show it to other calls.
 */
export const outsideOfCalls: <Result>(start: () => Result) => Result = AsyncLocalStorage.snapshot();
