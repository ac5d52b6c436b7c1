import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Lets what a group keeps for a stream that is gone expire.
 *
 * KEYS   1 stream, 2 the stream under the other name that has the same keys, or the same again, 3 position, 4 made blindly,
 *        5 ledger, 6 packed ledger, 7 leases, 8 attempts, 9 retries
 * ARGV   1 how long to keep them from now, ms
 * result how many keys expire that did not before
 * atomic because the stream may be created again meanwhile, and its group then keeps these keys.
 * twice  they expire already, and keep their time.
 *
 * The position means nothing for a new stream of the same name, and is deleted. Dead letters stay.
 */
export const expireOrphansScript = new Script(
  `
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('DEL', KEYS[3], KEYS[4])
local expiring = 0
for n = 5, #KEYS do
  if redis.call('PTTL', KEYS[n]) == -1 then expiring = expiring + redis.call('PEXPIRE', KEYS[n], ARGV[1]) end
end
return expiring
`,
  (reply) => parseCount(reply, 'expire-orphans'),
);
