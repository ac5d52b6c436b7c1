import { parseCount } from '../../read/replies.js';
import { evenIfFull } from '../even-if-full.lua.js';
import { Script } from '../script.js';

/**
 * Releases a partition of which its owner runs nothing any more: whoever asks next may take it.
 *
 * KEYS   1 owner (HASH)
 * ARGV   1 the owner's token and epoch, with a dot between them, 2 the owner's consumer
 * result 1 if the caller owned it, else 0
 * atomic because another member could take it between the check of the owner and the release.
 * twice  it has no owner by then, or another one, and that stays.
 *
 * The epoch stays, and 'released-by' records that entries still pending for this consumer did not start.
 */
export const releasePartitionScript = new Script(
  `
${evenIfFull('KEYS[1]')}
local row = redis.call('HMGET', KEYS[1], 'token', 'epoch')
if not row[1] or row[1] .. '.' .. row[2] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'released-by', ARGV[2])
redis.call('HDEL', KEYS[1], 'consumer', 'token', 'ends-at')
return 1
`,
  (reply) => parseCount(reply, 'release-partition'),
);
