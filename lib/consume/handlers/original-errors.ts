import { RpcExceptionsHandler } from '@nestjs/microservices/exceptions/rpc-exceptions-handler.js';
import { RedisStreamsContext } from './redis-streams.context.js';

/** The first error seen of each context: later ones are what filters made of it. */
const firstErrors = new WeakMap<RedisStreamsContext, { readonly error: unknown }>();
let watching = false;

/**
 * Has Nest's exception layer tell us what was thrown, before it makes `{ status, message: 'Internal server error' }` of it.
 * Its handler is the one place that sees the errors of guards, pipes, interceptors and handlers, in standalone and hybrid
 * apps alike.
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

/** Takes the original of `error`, where Nest replaced it. */
export function takeOriginal(context: RedisStreamsContext, error: unknown): unknown {
  const first = firstErrors.get(context);
  firstErrors.delete(context);
  return first === undefined ? error : first.error;
}
