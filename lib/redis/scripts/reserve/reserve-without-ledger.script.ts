import { NOTE_POSITION } from '../entry-ids.lua.js';
import { PARTITION_FENCE } from '../partition/claim-partition.script.js';
import { ATTEMPT_MARKS } from '../runs.lua.js';
import { evenIfFull, Script } from '../script.js';
import { parseReservations } from './reserve.script.js';

/**
 * Reserves a batch of entries that this consumer has read if there is neither a ledger nor leases. The entries are its own only
 * because they are pending for it.
 *
 * KEYS   1 stream, 2 attempts (HASH), 3 position (string), 4 owner (HASH), for a partition
 * ARGV   1 group, 2 '1' for at-most-once, 3 the highest entry ID that was delivered, 4 entry IDs, as a JSON list,
 *        5 consumer, 6 its token
 * result a text with one letter for each entry, in order: n, and the number of its attempt unless that is 1; a and the number
 *        if it must run alone; p if it may not start now and nothing has changed: in a partition that the caller does
 *        not own, or in which another consumer has earlier entries pending
 * atomic because an entry that is acknowledged before it runs must not be after the position: a group that is created again
 *        would deliver it again.
 * twice  it writes the same again.
 */
export const reserveWithoutLedgerScript = new Script(
  `${NOTE_POSITION}${ATTEMPT_MARKS}${PARTITION_FENCE}
local entries = cjson.decode(ARGV[4])
if KEYS[4] and not mayBegin(KEYS[4], KEYS[1], ARGV[1], ARGV[5], ARGV[6], ARGV[3]) then
  return string.rep('p', #entries)
end
-- Before anything is acknowledged, since this may be refused.
local used = redis.call('EXISTS', KEYS[2]) == 1 and redis.call('HMGET', KEYS[2], unpack(entries))
${evenIfFull('KEYS[2]')}
if ARGV[2] == '1' then
  notePosition(KEYS[3], ARGV[3])
  redis.call('XACK', KEYS[1], ARGV[1], unpack(entries))
end
if not used then return string.rep('n', #entries) end
local answers = {}
for n, row in ipairs(used) do
  local before, mark = attemptsOf(row)
  answers[n] = runsAlone(mark) and 'a' .. before + 1 or before == 0 and 'n' or 'n' .. before + 1
end
return table.concat(answers)
`,
  (reply) => parseReservations(reply, 'reserve-without-ledger'),
);
