import { parseText } from '../replies.js';
import { Script } from '../script.js';
import { ATTEMPT_MARKS } from './attempt-marks.lua.js';

/**
 * Takes a partition that nobody has, for a member alone: it becomes its owner, with an epoch that no owner had before.
 *
 * KEYS   1 owner (HASH), 2 leases (HASH), 3 attempts (HASH)
 * ARGV   1 consumer, 2 its token, 3 how long the ownership lasts, ms, 4 '1' where one that has ended without being given
 *        up may be taken, 5 the highest epoch that the caller knows of, 6 '1' where leases of before end with it:
 *        at-most-once has acknowledged what they are for
 * result the epoch, or 0 where another has it
 * atomic because two members that both see it free would both run its messages.
 * twice  it is the caller's already: the same epoch, and nothing ends.
 *
 * With the ownership end the leases that were given under those of before, so that whoever had it can neither put off nor
 * give up what the new owner runs. A lease that is still there is that of a run which did not come to its end.
 */
export const takePartitionScript = new Script(
  `${ATTEMPT_MARKS}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local row = redis.call('HMGET', KEYS[1], 'token', 'epoch', 'ends-at')
local holder, epoch, ends = row[1], tonumber(row[2] or 0), tonumber(row[3] or 0)
if holder and holder ~= ARGV[2] and (ends > now or ARGV[4] ~= '1') then return '0' end
if holder ~= ARGV[2] then
  epoch = math.max(epoch, tonumber(ARGV[5])) + 1
  local leases = ARGV[6] == '1' and redis.call('HGETALL', KEYS[2]) or {}
  for n = 1, #leases, 2 do
    local entry, run = string.match(leases[n + 1], '^%S+ (%S+) (%d+) %d+$')
    if entry then
      local used, mark = attemptsOf(redis.call('HGET', KEYS[3], entry))
      used, mark = cameBack(used, mark, tonumber(run))
      redis.call('HSET', KEYS[3], entry, used .. mark)
    end
    redis.call('HDEL', KEYS[2], leases[n])
  end
end
redis.call('HSET', KEYS[1], 'consumer', ARGV[1], 'token', ARGV[2], 'epoch', epoch,
  'ends-at', string.format('%.0f', now + ARGV[3]))
return tostring(epoch)
`,
  (reply) => Number(parseText(reply, 'take-partition')),
);
