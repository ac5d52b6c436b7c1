import { parseCount, parseText } from '../../read/replies.js';
import { ATTEMPT_MARKS, NOTE_COMEBACK } from '../runs.lua.js';
import { evenIfFull, NOW, Script } from '../script.js';

/** Lua: `epochIn` reads an epoch; 0 if there is none, or something else. A number that is too large for an epoch would stay for ever. */
export const EPOCH_IN = `
local function epochIn(text)
  local epoch = tonumber(text or 0)
  return epoch and epoch >= 0 and epoch < 9e15 and math.floor(epoch) or 0
end
`;

/**
 * Makes a member the owner of a partition that nobody owns, with a new epoch.
 *
 * KEYS   1 owner (HASH), 2 leases (HASH), 3 attempts (HASH)
 * ARGV   1 consumer, 2 its token, 3 how long the ownership lasts, ms, 4 '1' if an ownership that expired may be taken,
 *        5 the highest epoch that the caller knows, 6 '1' to end the leases of earlier owners (not at-most-once, which has
 *        already acknowledged their entries)
 * result the epoch, or 0 if another member owns the partition
 * atomic because two members that both see it free would both run its messages.
 * twice  the caller owns it already: the same epoch, and no lease ends.
 *
 * An epoch is never lower than Redis's time in ms. So a new owner outranks an older one even if Redis lost the owner row.
 *
 * Leases of earlier owners end, so that none of them can retry or dead-letter what the new owner runs. Such a lease belongs to
 * a run that did not finish. 'released-by' stays only if the last owner released the partition: see claim-partition.
 */
export const takePartitionScript = new Script(
  `${ATTEMPT_MARKS}${NOTE_COMEBACK}${EPOCH_IN}
${NOW}
${evenIfFull('KEYS[1]')}
local row = redis.call('HMGET', KEYS[1], 'token', 'epoch', 'ends-at')
local holder, epoch, ends = row[1], epochIn(row[2]), tonumber(row[3] or 0) or 0
if holder and holder ~= ARGV[2] and (ends > now or ARGV[4] ~= '1') then
  -- No ownership lasts longer: this one was renewed when Redis's clock was ahead.
  local latest = now + ARGV[3]
  if ends > latest then redis.call('HSET', KEYS[1], 'ends-at', string.format('%.0f', latest)) end
  return '0'
end
if holder ~= ARGV[2] then
  epoch = math.max(epoch + 1, tonumber(ARGV[5]) + 1, now)
  if holder then redis.call('HDEL', KEYS[1], 'released-by') end
  redis.call('HSET', KEYS[1], 'since', string.format('%.0f', now))
  local leases = ARGV[6] == '1' and redis.call('HGETALL', KEYS[2]) or {}
  for n = 1, #leases, 2 do
    local entry, run = string.match(leases[n + 1], '^%S+ (%S+) (%d+) %d+$')
    if entry then
      noteComeback(KEYS[3], entry, runsIn(run))
    end
    redis.call('HDEL', KEYS[2], leases[n])
  end
end
local epochText = string.format('%.0f', epoch)
redis.call('HSET', KEYS[1], 'consumer', ARGV[1], 'token', ARGV[2], 'epoch', epochText,
  'ends-at', string.format('%.0f', now + ARGV[3]))
return epochText
`,
  (reply) => Number(parseText(reply, 'take-partition')),
);

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
