/**
 * Lua for the rows of the attempts HASH: how many attempts an entry has used, and a letter where it came back from a run
 * that did not come to its end (its process died, or was stopped for longer than the lease):
 *
 *     3    nothing of the kind
 *     3c   came back once; runs beside others, as before
 *     3a   came back again: is to run alone in its process
 *     3s   started alone
 *
 * Only the first comeback, and that of an entry which had started alone, are charged: what was merely read ahead beside a
 * message that kills its process pays for it once at the most. The letter stays until the entry is settled.
 */
export const ATTEMPT_MARKS = `
local function attemptsOf(row)
  local used, mark = string.match(row or '0', '^(%d+)(%a?)$')
  return tonumber(used or 0), mark or ''
end
local function cameBack(used, mark, run)
  if mark == '' then return math.max(used, run), 'c' end
  if mark == 's' then return math.max(used, run), 'a' end
  return used, 'a'
end
local function runsAlone(mark) return mark == 'a' or mark == 's' end
local function endedRun(mark) return mark == 's' and 'a' or mark end
`;
