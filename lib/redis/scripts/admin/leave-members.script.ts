import { parseCount } from '../../read/replies.js';
import { MEMBERS } from '../members.lua.js';
import { Script } from '../script.js';

/**
 * Removes from the record of living members a consumer that stays in its group: its name is used again at the next start.
 *
 * KEYS   1 members (ZSET), 2 versions (HASH)
 * ARGV   1 consumer
 * result 1
 * atomic because the two parts of a member's row belong together.
 * twice  the second time it is gone already.
 */
export const leaveMembersScript = new Script(
  `${MEMBERS}
sayGone(KEYS[1], KEYS[2], ARGV[1])
return 1
`,
  (reply) => parseCount(reply, 'leave-members'),
);
