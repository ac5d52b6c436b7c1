import { parseCount } from '../../read/replies.js';
import { DUE_TIMES } from '../due-times.lua.js';
import { REDRIVE_OF } from '../entry-ids.lua.js';
import { PACKED_LEDGER, REMOVE_PACKED } from '../ledger/packed-ledger.lua.js';
import { evenIfFull, NOW, Script } from '../script.js';

/**
 * Schedules dead letters to run again. Each stays a dead letter until its run is settled; at-most-once, until it starts.
 *
 * KEYS   1 dead letters (stream), 2 retries (ZSET), 3 attempts (HASH), 4 ledger (ZSET), 5 packed ledger (HASH)
 * ARGV   for each dead letter: its ID, and the message ID whose ledger entry at-most-once wrote before it failed, or ''
 * result how many this call redrives
 * atomic because two operators could both count the same dead letter, and one without a ledger entry that is not due could run
 *        under another entry and again when it is redriven.
 * twice  a dead letter that waits already is left alone and not counted again, so it is only sent on connections that resend
 *        nothing.
 *
 * All keys are read before the first write: a redrive that is due and still in the ledger would be dropped as a duplicate, with
 * its dead letter.
 */
export const redriveScript = new Script(
  `${PACKED_LEDGER}${REMOVE_PACKED}${REDRIVE_OF}${DUE_TIMES}
${NOW}
${evenIfFull('KEYS[3]')}
redis.call('HGET', KEYS[3], '')
for i = 2, #ARGV, 2 do
  if ARGV[i] ~= '' then
    redis.call('ZSCORE', KEYS[4], ARGV[i])
    bucketsIn(KEYS[5])
    break
  end
end
local redriven = 0
for i = 1, #ARGV, 2 do
  local id, member = ARGV[i], redriveOf(ARGV[i])
  if #redis.call('XRANGE', KEYS[1], id, id) == 1 and not redis.call('ZSCORE', KEYS[2], member) then
    redis.call('ZADD', KEYS[2], scoreIn(now, 0), member)
    redis.call('HDEL', KEYS[3], member)
    if ARGV[i + 1] ~= '' then
      redis.call('ZREM', KEYS[4], ARGV[i + 1])
      removePacked(KEYS[5], ARGV[i + 1])
    end
    redriven = redriven + 1
  end
end
return redriven
`,
  (reply) => parseCount(reply, 'redrive'),
);
