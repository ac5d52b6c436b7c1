import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Notes that nobody waits for some requests any longer: who writes the next reply to one of them is told.
 *
 * KEYS   1 requests that nobody waits for any longer (SET)
 * ARGV   1 how long the note lasts, in ms, then the requests' IDs
 * result how many of them were new
 * atomic because a note without an end would outlive its client.
 * twice  it is noted already.
 */
export const leaveRequestsScript = new Script(
  `
local added = redis.call('SADD', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return added
`,
  (reply) => parseCount(reply, 'leave-requests'),
);
