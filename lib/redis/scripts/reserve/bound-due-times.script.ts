import { parseText } from '../../read/replies.js';
import { DUE_TIMES } from '../due-times.lua.js';
import { evenIfFull } from '../even-if-full.lua.js';
import { NOW, Script } from '../script.js';

/**
 * Moves a page of due times that Redis's clock wrote when it was ahead, to the latest time that they can mean. The others stay.
 *
 * KEYS   1 retries (ZSET), 2 attempts (HASH)
 * ARGV   1 the highest score to look at, or '+inf', 2 how many
 * result the highest score of the next page, or '' after the last page
 * atomic because an entry could be taken or scheduled again between the look at it and its move.
 * twice  what was moved is not too far ahead any more.
 *
 * Pages come from the highest score down, so that what is moved is not met again.
 */
export const boundDueTimesScript = new Script(
  `${DUE_TIMES}
${NOW}
${evenIfFull('KEYS[2]')}
local count = tonumber(ARGV[2])
local from = string.format('(%.0f', now)
local page = redis.call('ZRANGE', KEYS[1], ARGV[1], from, 'BYSCORE', 'REV', 'LIMIT', 0, count, 'WITHSCORES')
local moved = 0
for n = 1, #page, 2 do
  local latest = latestOf(tonumber(page[n + 1]), now)
  if latest then
    redis.call('ZADD', KEYS[1], 'XX', latest, page[n])
    moved = moved + 1
  end
end
if #page < 2 * count then return '' end
-- Rows with the same score are all moved, or all stay.
return moved > 0 and page[#page] or '(' .. page[#page]
`,
  (reply) => parseText(reply, 'bound-due-times'),
);
