import type { Redis } from 'ioredis';
import type { ScriptRunner } from '../../lib/consume/delivery/delivery-scripts.js';
import type { ScriptArgument, Script } from '../../lib/redis/scripts/script.js';

/** Runs scripts on a connection. */
export const scriptsOf = (client: Redis): ScriptRunner => ({
  run: <Reply>(script: Script<Reply>, keys: readonly string[], args: readonly ScriptArgument[]) =>
    script.run(client, keys, args),
});
