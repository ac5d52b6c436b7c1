import {
  parseCount,
  parseEntries,
  parseList,
  parseText,
  type RawEntry,
} from '../../read/replies.js';
import { DUE_TIMES } from '../due-times.lua.js';
import { TAKE_DUE } from '../reserve/take-due-entries.script.js';
import { evenIfFull, NOW, Script } from '../script.js';
import { EPOCH_IN } from './take-partition.script.js';

/** What the owner of a partition learns about it. */
export interface TendedPartition {
  /** Whether the caller still owns it. If not, the rest is empty. */
  readonly isOwner: boolean;
  /** How soon something is due that is not due yet, in ms. Negative if nothing waits. */
  readonly nextDueMs: number;
  /** Whether more is due than there was room for. */
  readonly moreIsDue: boolean;
  /** Whether entries are pending for another consumer. */
  readonly othersHave: boolean;
  /** The oldest pending entry. Empty if none is pending. */
  readonly oldestPending: string;
  /** What is due, including what waits at the caller. */
  readonly due: readonly RawEntry[];
  /** What waits at the caller in vain: it was settled meanwhile, or vanished with its group. */
  readonly gone: readonly string[];
}

/**
 * Renews the ownership of a partition, and gives its owner what is due.
 *
 * KEYS   1 owner (HASH), 2 stream, 3 retries (ZSET), 4 attempts (HASH), 5 dead letters (stream)
 * ARGV   1 group, 2 consumer, 3 its token, 4 epoch, 5 how long the ownership lasts, ms, 6 lease ms, 7 how many other entries
 *        may come besides those that wait at the caller, 8 those that wait at the caller, as a JSON list of entry IDs
 *        and redrives' IDs
 * result ['1' if the caller is the owner, else '0', ms until something is due that is not due yet or -1, '1' if another
 *        consumer has pending entries, the oldest pending entry ID or '', what is due: entries [id, fields]; a deleted
 *        entry has nil fields, the IDs that wait at the caller in vain, '1' if more is due]. A redrive comes with its own
 *        ID and its dead letter's fields, and is due again after a lease
 * atomic because a member that renews an ownership which another has taken would run messages at the same time.
 * twice  it is renewed once more. What waits at the caller without a due time is due: the first answer did not arrive. Other
 *        entries of the first answer are pending for the caller, which looks for them after it has reconnected.
 *
 * If the row is gone (FLUSHALL) or has a lower epoch (a replica that was behind), nobody has owned the partition since the
 * caller took it: it is written again.
 */
export const tendPartitionScript = new Script(
  `${TAKE_DUE}${EPOCH_IN}${DUE_TIMES}
${NOW}
${evenIfFull('KEYS[1]')}
local later = scoreIn(now, tonumber(ARGV[6]))
local group, consumer, token, epoch = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local row = redis.call('HMGET', KEYS[1], 'token', 'epoch')
local latest = epochIn(row[2])
if latest > epoch or latest == epoch and row[1] ~= token then return { '0', -1, '0', '', {}, {}, '0' } end
redis.call('HSET', KEYS[1], 'consumer', consumer, 'token', token, 'epoch', ARGV[4],
  'ends-at', string.format('%.0f', now + ARGV[5]))

-- What Redis's clock wrote when it was ahead is due earlier.
local function bound(id, score)
  local latest = score and latestOf(tonumber(score), now)
  if latest then redis.call('ZADD', KEYS[3], 'XX', latest, id) end
  return latest or score
end
local waiting = redis.call('ZRANGEBYSCORE', KEYS[3], string.format('(%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 20)
for n = 1, #waiting, 2 do bound(waiting[n], waiting[n + 1]) end

local due, gone, keys = {}, {}, { unpack(KEYS, 2, 5) }
for _, id in ipairs(cjson.decode(ARGV[8])) do
  local score = bound(id, redis.call('ZSCORE', KEYS[3], id))
  if not score or tonumber(score) <= now then
    local entry = takeDue(id, score, keys, group, consumer, later)
    if entry then due[#due + 1] = entry else gone[#gone + 1] = id end
  end
end
if ARGV[7] ~= '0' then
  local others = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[7])
  for _, id in ipairs(others) do due[#due + 1] = takeDue(id, true, keys, group, consumer, later) end
end

local more = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now), 'LIMIT', 0, 1)[1]
local first = redis.call('ZRANGEBYSCORE', KEYS[3], string.format('(%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
local next = first[2] and math.min(math.ceil(tonumber(first[2]) - now), 2147483647) or -1
local pending, others = redis.pcall('XPENDING', KEYS[2], group), '0'
for _, of in ipairs(pending[4] or {}) do
  if of[1] ~= consumer then others = '1' end
end
return { '1', next, others, pending[2] or '', due, gone, more and '1' or '0' }
`,
  (reply): TendedPartition => {
    const [isOwner, next, others, oldest, due, gone, more] = parseList(reply, 'tend-partition');
    return {
      isOwner: parseText(isOwner, 'tend-partition') === '1',
      nextDueMs: parseCount(next, 'tend-partition'),
      moreIsDue: parseText(more, 'tend-partition') === '1',
      othersHave: parseText(others, 'tend-partition') === '1',
      oldestPending: parseText(oldest, 'tend-partition'),
      due: parseEntries(due, 'tend-partition'),
      gone: parseList(gone, 'tend-partition').map((id) => parseText(id, 'tend-partition')),
    };
  },
);
