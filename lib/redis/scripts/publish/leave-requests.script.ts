import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Records that nobody waits for some requests any more: whoever writes the next reply to one of them learns this.
 *
 * KEYS   1 requests that nobody waits for any more (SET)
 * ARGV   1 how long the record lasts, ms, then the requests' IDs
 * result how many of them were new
 * atomic because a record without an expiry would outlive its client.
 * twice  they are recorded already.
 */
export const leaveRequestsScript = new Script(
  `
-- Redis runs this even if it is full, and then the rest too.
redis.call('PEXPIRE', KEYS[1], ARGV[1])
local added = redis.call('SADD', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return added
`,
  (reply) => parseCount(reply, 'leave-requests'),
);
