/**
 * Lua for the rows of `attempts`: how many attempts an entry has used, and a letter if it came back after a run that did not
 * finish, because its process died or was stopped for longer than the lease:
 *
 *     3    it never came back
 *     3c   came back once; runs beside others, as before
 *     3a   came back again; must run alone in its process
 *     3s   has started alone
 *
 * A comeback costs an attempt only the first time, and if the entry had started alone: entries that were only read ahead in a
 * process that another message kills pay once at most. The letter stays until the entry is settled.
 *
 * A row of another form counts as none. `runsIn` reads a number of runs, which nobody counts beyond a billion.
 */
export const ATTEMPT_MARKS = `
local function runsIn(text) return math.min(tonumber(text), 1e9) end
local function attemptsOf(row)
  local used, mark = string.match(row or '0', '^(%d+)(%a?)$')
  return used and runsIn(used) or 0, mark or ''
end
local function cameBack(used, mark, run)
  if mark == '' then return math.max(used, run), 'c' end
  if mark == 's' then return math.max(used, run), 'a' end
  return used, 'a'
end
local function runsAlone(mark) return mark == 'a' or mark == 's' end
local function endedRun(mark) return mark == 's' and 'a' or mark end
`;

/** Lua: `noteComeback` records that an entry came back, from attempt `run` or the next one. Goes after {@link ATTEMPT_MARKS}. */
export const NOTE_COMEBACK = `
local function noteComeback(attempts, entry, run)
  local used, mark = attemptsOf(redis.call('HGET', attempts, entry))
  used, mark = cameBack(used, mark, run or used + 1)
  redis.call('HSET', attempts, entry, used .. mark)
end
`;

/**
 * Lua: the fence of scripts that only the holder of a message may run. `leaseHeldBy` returns the row of a lease if it has this
 * token and entry; `isPendingFor` tells whether an entry is pending for a consumer.
 */
export const FENCE = `
local function leaseHeldBy(leases, id, token, entry)
  local row, held = redis.call('HGET', leases, id), token .. ' ' .. entry .. ' '
  return row and string.sub(row, 1, #held) == held and row
end
local function isPendingFor(consumer, stream, group, entry)
  local pending = redis.pcall('XPENDING', stream, group, entry, entry, 1)
  return not pending.err and pending[1] and pending[1][2] == consumer
end
`;

/**
 * Lua: `hereSince` returns how long ago something began, in ms; nil if `at` is no time. If Redis's clock was ahead then and was
 * set back since, that is unknown, and counts as for ever.
 */
export const HERE_SINCE = `
local function hereSince(at, now)
  local ms = tonumber(at) and now - at
  return ms and ms < 0 and math.huge or ms
end
`;
