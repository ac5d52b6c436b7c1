import { parseCount } from '../replies.js';
import { Script } from '../script.js';

/**
 * Gives a partition up: whoever asks next may have it. Its epoch stays.
 *
 * KEYS   1 owner (HASH)
 * ARGV   1 the owner's token and epoch, with a dot between them
 * result 1 where it was the caller's, else 0
 * atomic because between the look at the owner and the delete another could have taken it.
 * twice  it is nobody's by then, or another's, and stays so.
 */
export const releasePartitionScript = new Script(
  `
local row = redis.call('HMGET', KEYS[1], 'token', 'epoch')
if not row[1] or row[1] .. '.' .. row[2] ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'consumer', 'token', 'ends-at')
return 1
`,
  (reply) => parseCount(reply, 'release-partition'),
);
