import { parseCount } from '../../read/replies.js';
import { evenIfFull } from '../even-if-full.lua.js';
import { ATTEMPT_MARKS, FENCE } from '../runs.lua.js';
import { Script } from '../script.js';

/**
 * Records that a message which came back from unfinished runs now starts alone: if this run does not finish either, the message
 * itself is to blame, and the run counts as an attempt.
 *
 * KEYS   1 stream, 2 leases (HASH), 3 attempts (HASH)
 * ARGV   1 group, 2 consumer, 3 holder's token, or '' if there are no leases, 4 entry ID, 5 message ID
 * result 1 if it may start, 0 if another consumer has the message now
 * atomic because the lease could end between the check and the record.
 * twice  it is recorded once more.
 */
export const startAloneScript = new Script(
  `${ATTEMPT_MARKS}${FENCE}
${evenIfFull('KEYS[3]')}
local group, consumer, token, entry, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if token == '' then
  if not isPendingFor(consumer, KEYS[1], group, entry) then return 0 end
elseif not leaseHeldBy(KEYS[2], id, token, entry) then
  return 0
end
local used = attemptsOf(redis.call('HGET', KEYS[3], entry))
redis.call('HSET', KEYS[3], entry, used .. 's')
return 1
`,
  (reply) => parseCount(reply, 'start-alone') === 1,
);
