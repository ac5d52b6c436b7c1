import { RpcExceptionsHandler } from '@nestjs/microservices/exceptions/rpc-exceptions-handler.js';
import { RedisStreamsContext } from './redis-streams.context.js';

/** The first error seen for each context: filters turn it into others later. */
const firstErrors = new WeakMap<RedisStreamsContext, { readonly error: unknown }>();
let watching = false;

/**
 * Notes what was thrown before Nest's exception layer turns it into `{ status, message: 'Internal server error' }`. Its handler
 * is the one place that sees the errors of guards, pipes, interceptors and handlers, in standalone and hybrid apps.
 */
export function watchOriginalErrors(): void {
  if (watching) return;
  watching = true;
  const { handle } = RpcExceptionsHandler.prototype;
  RpcExceptionsHandler.prototype.handle = function (this: RpcExceptionsHandler, ...args) {
    const [error, host] = args;
    const context: unknown = host.getArgs()[1];
    if (context instanceof RedisStreamsContext && !firstErrors.has(context)) {
      firstErrors.set(context, { error });
    }
    return handle.apply(this, args);
  };
}

/** Takes the original of `error`, if Nest replaced it. */
export function takeOriginal(context: RedisStreamsContext, error: unknown): unknown {
  const first = firstErrors.get(context);
  firstErrors.delete(context);
  return first === undefined ? error : first.error;
}
