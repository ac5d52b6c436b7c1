import { parseCount } from '../../read/replies.js';
import { LETTER_OF } from '../entry-ids.lua.js';
import { ATTEMPT_MARKS, FENCE } from '../runs.lua.js';
import { evenIfFull, Script } from '../script.js';

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

/**
 * Starts a redrive at-most-once: removes its dead letter and its lease, and records the message as handled. From then on nobody
 * else can run it. A redrive that was only read ahead keeps its dead letter, so it is not lost with its process.
 *
 * KEYS   1 ledger (ZSET), 2 leases (HASH), 3 retries (ZSET), 4 attempts (HASH), 5 dead letters (stream), 6 this call (string)
 * ARGV   1 holder's token, 2 '1' if there is a ledger, 3 the redrive's ID, 4 message ID, 5 the ID of its lease, 6 how long
 *        to remember the call, ms
 * result 1 if it may start, 0 if another consumer has it, or its dead letter is gone
 * atomic because a dead letter that stays while its handler runs could run twice, and one that is removed without a ledger
 *        entry could run again if its message is published again.
 * twice  KEYS[6] has the answer.
 *
 * The ledger is written first: if a command fails, what came before it stays.
 */
export const startRedriveScript = new Script(
  `${LETTER_OF}${FENCE}
local answered = redis.call('GET', KEYS[6])
if answered then return tonumber(answered) end
${evenIfFull('KEYS[2]')}
local token, member, id, lease = ARGV[1], ARGV[3], ARGV[4], ARGV[5]
local letter = letterOf(member)
if not leaseHeldBy(KEYS[2], lease, token, member) then return 0 end
if #redis.call('XRANGE', KEYS[5], letter, letter) == 0 then return 0 end
-- If one of these is refused, nothing is recorded: the next call would find the answer, and not do the rest.
redis.call('ZSCORE', KEYS[3], member)
redis.call('HGET', KEYS[4], member)
if ARGV[2] == '1' then
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[1], string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)), id)
end
redis.call('SET', KEYS[6], 1, 'PX', ARGV[6])
redis.call('XDEL', KEYS[5], letter)
redis.call('ZREM', KEYS[3], member)
redis.call('HDEL', KEYS[4], member)
redis.call('HDEL', KEYS[2], lease)
return 1
`,
  (reply) => parseCount(reply, 'start-redrive') === 1,
);
