import { parseCount } from '../replies.js';
import { Script } from '../script.js';

/**
 * Removes a consumer that has nothing pending.
 *
 * KEYS   1 stream
 * ARGV   1 group, 2 consumer
 * result 1 where it is gone, 0 where something of it is pending
 * atomic because Redis drops the pending entries of a consumer that it deletes, and one could come in between.
 * twice  the second time it is gone already.
 */
export const removeConsumerScript = new Script(
  `
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
if pending.err then return 1 end
if #pending > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
`,
  (reply) => parseCount(reply, 'remove-consumer'),
);
