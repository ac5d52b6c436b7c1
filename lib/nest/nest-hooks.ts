import type { Server } from '@nestjs/microservices';
import type { ProcessingHooks } from '../consume/handlers/nest-layer.js';

/**
 * The hooks that were set on a server with Nest's `setOnProcessingStartHook` and `setOnProcessingEndHook`. The first
 * versions of Nest 11 have none.
 *
 * @param server as it is during its construction: the hook that it has then is Nest's default
 * @returns reads the hooks that are set at that time; `undefined` if there are none, so that messages are not wrapped
 */
export function nestHooks(
  server: Pick<Server, 'transportId'>,
  onFault: (error: unknown) => void,
): () => ProcessingHooks | undefined {
  const startOf = (): unknown => Reflect.get(server, 'onProcessingStartHook');
  const endOf = (): unknown => Reflect.get(server, 'onProcessingEndHook');
  const unset = startOf();
  return () => {
    const [start, end] = [startOf(), endOf()];
    if (start === unset && end === undefined) return undefined;
    return {
      start: (context, done) =>
        typeof start === 'function'
          ? start.call(server, server.transportId, context, done)
          : done(),
      end: (context) => typeof end === 'function' && end.call(server, server.transportId, context),
      onFault,
    };
  };
}
