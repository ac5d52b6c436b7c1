import { parseList, parseText } from '../../read/replies.js';
import { evenIfFull, NOW_TEXT, Script } from '../script.js';

/**
 * Remembers since when a group reads the streams that its wildcards match, so that streams created while no member runs differ
 * from those that existed before.
 *
 * KEYS   1 wildcards (HASH)
 * ARGV   for each wildcard: its text, and since when, as far as the caller knows: '' if unknown, a time in ms, or '0' after a
 *        complete first look, so that every stream that appears later is read from its beginning
 * result for each wildcard since when, in order: the earliest known time, or Redis's time if none was known
 * atomic because members that start at the same time must agree on one time.
 * twice  the second time it is known.
 */
export const rememberWildcardsScript = new Script(
  `
${NOW_TEXT}
${evenIfFull('KEYS[1]')}
-- A key of another type counts as unknown, and is replaced.
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local since = {}
for n = 1, #ARGV / 2 do
  local wildcard, known = ARGV[n * 2 - 1], ARGV[n * 2]
  local kept = redis.call('HGET', KEYS[1], wildcard)
  -- As does something else than a time.
  if kept and not string.find(kept, '^%d+$') then kept = false end
  since[n] = kept or known
  -- A time after now was written when Redis's clock was ahead.
  if since[n] == '' or tonumber(since[n]) > tonumber(now) then since[n] = now end
  if known ~= '' and tonumber(known) < tonumber(since[n]) then since[n] = known end
  if since[n] ~= kept then redis.call('HSET', KEYS[1], wildcard, since[n]) end
end
return since
`,
  (reply) =>
    parseList(reply, 'remember-wildcards').map((row) => parseText(row, 'remember-wildcards')),
);
