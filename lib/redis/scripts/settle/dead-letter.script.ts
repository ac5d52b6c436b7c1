import { parseCount } from '../../read/replies.js';
import { LETTER_OF, NOTE_POSITION } from '../entry-ids.lua.js';
import { FENCE } from '../runs.lua.js';
import { evenIfFull, NOW_TEXT, Script } from '../script.js';

/**
 * Writes a dead letter and acknowledges its entry. The dead letter of a redrive replaces the earlier one.
 *
 * KEYS   1 stream, 2 leases (HASH), 3 retries (ZSET), 4 attempts (HASH), 5 dead letters (stream),
 *        6 position (string), 7 this call (string)
 * ARGV   1 group, 2 consumer, 3 holder's token, or '' if it holds no lease, 4 if at-most-once has already acknowledged the
 *        entry, or started the redrive: how long to remember the call, ms; else '', 5 how many dead letters to keep, or
 *        '', 6 entry ID or redrive's ID, 7 the ID of its lease, then the dead letter's fields; this script adds
 *        'dead-letter-failed-at'
 * result 1 if it was written, 0 if another consumer has the message now
 * atomic because an entry that is acknowledged without its dead letter is lost, and one that has it and is still pending would
 *        run again.
 * twice  nothing is written, since the entry is no longer pending, or the lease or the earlier dead letter is gone, or KEYS[7]
 *        exists.
 *
 * The dead letter is written first: if a command fails, what came before it stays.
 */
export const deadLetterScript = new Script(
  `${NOTE_POSITION}${LETTER_OF}${FENCE}
${NOW_TEXT}
${evenIfFull('KEYS[2]')}
local group, consumer, token, entry, id = ARGV[1], ARGV[2], ARGV[3], ARGV[6], ARGV[7]
local letter = letterOf(entry)
if token ~= '' then
  if not leaseHeldBy(KEYS[2], id, token, entry) then return 0 end
elseif ARGV[4] ~= '' then
  if redis.call('EXISTS', KEYS[7]) == 1 then return 0 end
elseif letter then
  if #redis.call('XRANGE', KEYS[5], letter, letter) == 0 then return 0 end
elseif not isPendingFor(consumer, KEYS[1], group, entry) then
  return 0
end
-- If one of these is refused, nothing is written: each call would write another dead letter.
if not letter then redis.call('XRANGE', KEYS[1], '+', '-') end
redis.call('ZSCORE', KEYS[3], entry)
redis.call('HGET', KEYS[4], entry)
local fields = {}
for i = 8, #ARGV do fields[#fields + 1] = ARGV[i] end
fields[#fields + 1] = 'dead-letter-failed-at'
fields[#fields + 1] = now
if ARGV[5] == '' then
  redis.call('XADD', KEYS[5], '*', unpack(fields))
else
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[5], '*', unpack(fields))
end
if letter then
  redis.call('XDEL', KEYS[5], letter)
else
  redis.call('XACK', KEYS[1], group, entry)
  notePosition(KEYS[6], entry)
end
if ARGV[4] ~= '' then redis.call('SET', KEYS[7], '', 'PX', ARGV[4]) end
if token ~= '' then redis.call('HDEL', KEYS[2], id) end
redis.call('ZREM', KEYS[3], entry)
redis.call('HDEL', KEYS[4], entry)
return 1
`,
  (reply) => parseCount(reply, 'dead-letter') === 1,
);
