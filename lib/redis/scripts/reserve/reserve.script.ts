import { UnexpectedReplyError } from '../../../errors/redis.errors.js';
import { parseList, parseText } from '../../read/replies.js';
import { DUE_TIMES } from '../due-times.lua.js';
import { LETTER_OF, NOTE_POSITION } from '../entry-ids.lua.js';
import { FIND_PACKED, PACKED_LEDGER } from '../ledger/packed-ledger.lua.js';
import { PARTITION_FENCE } from '../partition/claim-partition.script.js';
import { ATTEMPT_MARKS } from '../runs.lua.js';
import { evenIfFull, NOW, Script } from '../script.js';

/**
 * What to do with an entry: run it; drop it, since its message was handled; leave it to another run of its message; or wait,
 * since in its partition it is not its turn or not ours.
 */
export interface Reservation {
  readonly kind: 'new' | 'duplicate' | 'leased-elsewhere' | 'postponed';
  /** Which attempt it will be, from 1. */
  readonly attempt: number;
  /** Whether nothing else may run in this process meanwhile: earlier runs of it did not finish. */
  readonly alone: boolean;
}

const KINDS: Record<string, Reservation['kind']> = {
  n: 'new',
  a: 'new',
  d: 'duplicate',
  e: 'leased-elsewhere',
  p: 'postponed',
};

/** The usual answer. */
export const FIRST: Reservation = { kind: 'new', attempt: 1, alone: false };

/**
 * Reads one letter for each entry, and the number of its attempt unless that is 1.
 *
 * @throws UnexpectedReplyError
 */
export function parseReservations(reply: unknown, command: string): Reservation[] {
  return (parseText(reply, command).match(/[a-z]\d*/g) ?? []).map((answer) => {
    if (answer === 'n') return FIRST;
    const letter = answer.charAt(0);
    const kind = KINDS[letter];
    if (kind === undefined) throw new UnexpectedReplyError(command);
    return { kind, attempt: Number(answer.slice(1)) || 1, alone: letter === 'a' };
  });
}

/**
 * Reserves a batch of entries that this consumer has read.
 *
 * KEYS   1 stream, 2 ledger (ZSET), 3 leases (HASH), 4 retries (ZSET), 5 position (string), 6 attempts (HASH),
 *        7 dead letters (stream), 8 packed ledger (HASH), 9 the caller's last batch (string), 10 owner (HASH), for a
 *        partition
 * ARGV   1 group, 2 holder's token, 3 lease ms, 4 window ms, or 0 without a ledger, 5 '1' for at-most-once,
 *        6 the highest entry ID that was delivered, or '' if all are redrives,
 *        7 entry IDs, 8 their message IDs, both as JSON lists: one long argument is cheaper than many short ones,
 *        9 '1' if some are redrives: dead letters, which are removed if they are duplicates, 10 consumer,
 *        11 the lowest of the entry IDs, or '' if some are redrives, 12 a time (Redis time, ms) before the caller received
 *        any of them, or '' if it knows none, 13 the number of the batch if records need no lease (at-most-once with a
 *        ledger, all but redrives), else '': the caller numbers its batches, and repeats one until it has the answer
 * result a list: Redis's time in ms, and a text with one letter for each entry, in order:
 *        n  leased to the caller, or recorded and acknowledged (at-most-once, all but redrives). The number of its attempt
 *           follows unless that is 1. A lease that has expired was that of a run that did not finish
 *        a  the same, but it must run alone; its number always follows
 *        d  found in the ledger within the window, and acknowledged
 *        e  another entry or holder has a live lease on the message: due again when that ends, or after a second, since
 *           the message has usually been handled by then. Or the dead letter of a redrive is gone. Or the entry is no
 *           longer pending for the caller, which was stopped too long: another consumer took it, and may have settled it
 *        p  not now, and nothing has changed: in a partition that the caller does not own, or in which another consumer
 *           has earlier entries pending
 * atomic because another consumer could look at the ledger before this one has taken the lease, and both would run the message.
 * twice  the caller finds its own lease, and gets the same answer; acknowledging again has no effect. For another holder's
 *        entry the answer may be d instead of e: neither runs, and a message is acknowledged only if it is in the ledger.
 *        Without leases, KEYS[9] has the answer for a day; later they are duplicates.
 */
export const reserveScript = new Script(
  `${ATTEMPT_MARKS}${LETTER_OF}
local number = ARGV[13]
if number ~= '' then
  local same, shown, answered = string.match(redis.call('GET', KEYS[9]) or '', '^(%d+) (%d+) (.*)$')
  if same == number then return { shown, answered } end
end
${NOW}
local token, atMostOnce = ARGV[2], ARGV[5] == '1'
local ends, oldest = now + ARGV[3], now - ARGV[4]

local nowText, leasedTill = string.format('%.0f', now), string.format(' %.0f', ends)

${evenIfFull('KEYS[3]')}
local ids, entries, leased = cjson.decode(ARGV[8]), cjson.decode(ARGV[7]), 0
-- A redrive comes after all entries that were delivered.
local highest = ARGV[9] == '1' and '+' or ARGV[6]
-- Functions are defined only if they are needed: for a single message, each costs one percent of the time.
if KEYS[10] then
  ${PARTITION_FENCE}
  if not mayBegin(KEYS[10], KEYS[1], ARGV[1], ARGV[10], token, highest) then
    return { nowText, string.rep('p', #ids) }
  end
end
local processed = redis.call('ZMSCORE', KEYS[2], unpack(ids))
local packed, never = {}, -math.huge
if ARGV[4] ~= '0' and redis.call('EXISTS', KEYS[8]) == 1 then
  ${PACKED_LEDGER}${FIND_PACKED}
  packed = findPacked(KEYS[8], ids)
end
local hasLeases = not atMostOnce or redis.call('EXISTS', KEYS[3]) == 1
local rows = hasLeases and redis.call('HMGET', KEYS[3], unpack(ids)) or {}
local redrives, recorded = ARGV[9] == '1', atMostOnce and ARGV[4] ~= '0'
local used = redis.call('EXISTS', KEYS[6]) == 1 and redis.call('HMGET', KEYS[6], unpack(entries)) or {}

-- No entry is taken from a consumer before a lease's time is over, so entries delivered or published since then need no check.
-- For others, one look at the pending entries usually finds the whole batch; entries it misses are looked up one by one.
local group, consumer, since, owned = ARGV[1], ARGV[10], now - ARGV[3], nil
-- A time after now was written when Redis's clock was ahead, and shows nothing.
local function isLate(at) return at and at > since and at <= now end
local wereGivenLate = isLate(tonumber(ARGV[12]))
local function isFresh(entry) return wereGivenLate or isLate(tonumber(string.match(entry, '^%d+'))) end
local function look(from, to, count)
  local found = redis.pcall('XPENDING', KEYS[1], group, from, to, count, consumer)
  for n = 1, #found do owned[found[n][1]] = true end
  return not found.err
end
local function isOwned(entry)
  if isFresh(entry) then return true end
  if not owned then
    owned = {}
    look(entry, entries[#ids], #ids)
  end
  -- If the group is gone, nothing shows that the entry belongs to another consumer.
  return owned[entry] or not look(entry, entry, 1) or owned[entry]
end

local answers, leases, done, acked, later, taken = {}, {}, {}, {}, {}, {}
local written = 0
local ended = {}
local function judge(n, entry, id)
  local holder, of, till, run
  if taken[id] then
    holder, of, till = token, taken[id], ends
  elseif rows[n] then
    local h, o, r, t = string.match(rows[n], '^(%S+) (%S+) (%d+) (%d+)$')
    if h then holder, of, run, till = h, o, runsIn(r), tonumber(t) end
  end
  local mine = holder == token and of == entry
  local letter = redrives and letterOf(entry)
  local through = letter and ended or acked
  local at = math.max(processed[n] and tonumber(processed[n]) or never, packed[n] or never)
  -- Its own lease is left if a commit was refused after it had written the ledger.
  local isHandled = at > oldest and not (mine and atMostOnce)
  if isHandled or not mine and recorded and taken[id] and not letterOf(taken[id]) then
    answers[n] = 'd'
    through[#through + 1] = entry
    if mine then redis.call('HDEL', KEYS[3], id) end
  elseif letter and #redis.call('XRANGE', KEYS[7], letter, letter) == 0 then
    answers[n] = 'e'
    ended[#ended + 1] = entry
    if mine then redis.call('HDEL', KEYS[3], id) end
  elseif holder and not mine and till > now then
    answers[n] = 'e'
    if letter or isOwned(entry) then
      ${DUE_TIMES}
      later[#later + 1] = scoreIn(now, math.min(till - now, 1000))
      later[#later + 1] = entry
    end
  elseif not mine and not letter and not isOwned(entry) then
    answers[n] = 'e'
  else
    local before, alone = 0, false
    -- At-most-once removes a dead letter when its run starts, so one that still exists has never run.
    if not (letter and atMostOnce) and (used[n] or (of == entry and not mine)) then
      local mark
      before, mark = attemptsOf(used[n])
      if of == entry and not mine then
        before, mark = cameBack(before, mark, run)
        redis.call('HSET', KEYS[6], entry, before .. mark)
      end
      alone = runsAlone(mark)
    end
    if mine then before = (run or 1) - 1 end
    answers[n] = alone and 'a' .. before + 1 or before == 0 and 'n' or 'n' .. before + 1
    taken[id] = entry
    if letter or number == '' then
      leases[leased + 1], leases[leased + 2] = id, token .. ' ' .. entry .. ' ' .. before + 1 .. leasedTill
      leased = leased + 2
    end
    if recorded and not letter then
      done[written + 1], done[written + 2] = nowText, id
      written = written + 2
    end
    if atMostOnce and not letter then acked[#acked + 1] = entry end
  end
end

-- Nearly all entries are unknown: no ledger entry, no lease, no attempt. If the lowest entry is fresh, all are.
local holds, firstTill = token .. ' ', ' 1' .. leasedTill
local allFresh = not redrives and ARGV[11] ~= '' and isFresh(ARGV[11])
for n = 1, #ids do
  local entry, id = entries[n], ids[n]
  if allFresh and not (processed[n] or packed[n] or rows[n] or used[n] or taken[id]) then
    answers[n], taken[id] = 'n', entry
    if number == '' then
      leases[leased + 1], leases[leased + 2] = id, holds .. entry .. firstTill
      leased = leased + 2
    else
      done[written + 1], done[written + 2], acked[#acked + 1] = nowText, id, entry
      written = written + 2
    end
  else
    judge(n, entry, id)
  end
end

if written > 0 then
  -- If one of these is refused, nothing is recorded: what is recorded and has no answer would neither run nor come back.
  redis.call('XRANGE', KEYS[1], '+', '-')
  redis.call('ZSCORE', KEYS[4], '')
  redis.call('ZADD', KEYS[2], unpack(done))
end
if leased > 0 then redis.call('HSET', KEYS[3], unpack(leases)) end
if #later > 0 then redis.call('ZADD', KEYS[4], unpack(later)) end
if #acked > 0 then
  ${NOTE_POSITION}
  if redis.call('EXISTS', KEYS[4]) == 1 then redis.call('ZREM', KEYS[4], unpack(acked)) end
  redis.call('XACK', KEYS[1], group, unpack(acked))
  -- At-least-once, only the duplicates are settled, and not the other entries of the batch.
  notePosition(KEYS[5], atMostOnce and ARGV[6] or acked[#acked])
  if #used > 0 then redis.call('HDEL', KEYS[6], unpack(acked)) end
end
for _, member in ipairs(ended) do
  redis.call('ZREM', KEYS[4], member)
  redis.call('XDEL', KEYS[7], letterOf(member))
  redis.call('HDEL', KEYS[6], member)
end
local answer = table.concat(answers)
if number ~= '' then redis.call('SET', KEYS[9], number .. ' ' .. nowText .. ' ' .. answer, 'PX', 86400000) end
return { nowText, answer }
`,
  (reply) => {
    const [shown, answers] = parseList(reply, 'reserve');
    return {
      shownMs: Number(parseText(shown, 'reserve')),
      reservations: parseReservations(answers, 'reserve'),
    };
  },
);
