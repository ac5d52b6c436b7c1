import { Script } from '../script.js';
import { ATTEMPT_MARKS } from './attempt-marks.lua.js';
import { NOTE_POSITION } from '../settle/note-position.lua.js';
import { PARTITION_FENCE } from '../partition/partition-fence.lua.js';
import { parseReservations } from './reservation.js';

/**
 * Begins with a batch of entries that this consumer has read, where there is no ledger and are no leases: that they are
 * pending for it is all that makes them its own.
 *
 * KEYS   1 stream, 2 attempts (HASH), 3 position (string), 4 owner (HASH), where it is a partition
 * ARGV   1 group, 2 '1' for at-most-once, 3 highest entry ID given out, 4 entry IDs, as a JSON list,
 *        5 consumer, 6 its token
 * result a text with one letter for each entry, in order: n, and the number of its attempt where that is not the first;
 *        a and the number where it is to run alone; p where it is not to begin now, and nothing has changed: of a
 *        partition, whose owner the caller is not, or of which another has entries pending that come first
 * atomic because an entry that is acknowledged before it runs has to be within the position, or it could be given out
 *        again where the group is made anew.
 * twice  it writes the same.
 */
export const reserveWithoutLedgerScript = new Script(
  `${NOTE_POSITION}${ATTEMPT_MARKS}${PARTITION_FENCE}
local entries = cjson.decode(ARGV[4])
if KEYS[4] and not mayBegin(KEYS[4], KEYS[1], ARGV[1], ARGV[5], ARGV[6], ARGV[3]) then
  return string.rep('p', #entries)
end
if ARGV[2] == '1' then
  notePosition(KEYS[3], ARGV[3])
  redis.call('XACK', KEYS[1], ARGV[1], unpack(entries))
end
if redis.call('EXISTS', KEYS[2]) == 0 then return string.rep('n', #entries) end
local answers = {}
for n, row in ipairs(redis.call('HMGET', KEYS[2], unpack(entries))) do
  local before, mark = attemptsOf(row)
  answers[n] = runsAlone(mark) and 'a' .. before + 1 or before == 0 and 'n' or 'n' .. before + 1
end
return table.concat(answers)
`,
  (reply) => parseReservations(reply, 'reserve-without-ledger'),
);
