import { parseCount, parseList, parseText } from '../../read/replies.js';
import { LETTER_OF } from '../entry-ids.lua.js';
import { NOW, Script } from '../script.js';

/**
 * Removes one step of what has left the window: ledger entries, and leases that ended more than a window ago.
 *
 * KEYS   1 ledger (ZSET), 2 leases (HASH)
 * ARGV   1 window ms, 2 how many ledger entries at most, 3 the cursor at which the scan of the leases continues
 * result [ledger entries removed, the cursor for the next call ('0' after the last step)]
 * atomic because a lease could be renewed between the check and its removal.
 * twice  the second call removes the next ones, which are due as well.
 */
export const purgeLedgerScript = new Script(
  `
${NOW}
local oldest = now - ARGV[1]
local due = redis.call('ZCOUNT', KEYS[1], '-inf', string.format('%.0f', oldest))
local step = math.min(due, tonumber(ARGV[2]))
if step > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, step - 1) end
local scan = redis.call('HSCAN', KEYS[2], ARGV[3], 'COUNT', ARGV[2])
local ended = {}
for i = 1, #scan[2], 2 do
  local till = tonumber(string.match(scan[2][i + 1], ' (%d+)$'))
  if not till or till < oldest then redis.call('HDEL', KEYS[2], scan[2][i]) end
end
return { step, scan[1] }
`,
  (reply) => {
    const [removed, cursor] = parseList(reply, 'purge-ledger');
    return { removed: parseCount(removed, 'purge-ledger'), cursor: String(cursor) };
  },
);

/**
 * Removes one step of the attempts that nobody will ask for again: of entries that are no longer pending, since they or their
 * group were deleted, and of dead letters that are gone.
 *
 * KEYS   1 stream, 2 attempts (HASH), 3 dead letters (stream)
 * ARGV   1 group, 2 about how many to look at, 3 the cursor at which the scan continues
 * result the cursor for the next call ('0' after the last step)
 * atomic because an entry could become pending, and its attempt be counted, between the check and the removal.
 * twice  the second call looks at the same ones again.
 */
export const purgeAttemptsScript = new Script(
  `${LETTER_OF}
local scan = redis.call('HSCAN', KEYS[2], ARGV[3], 'COUNT', ARGV[2])
for i = 1, #scan[2], 2 do
  local id = scan[2][i]
  local letter = letterOf(id)
  local found
  if letter then
    found = redis.pcall('XRANGE', KEYS[3], letter, letter)
  else
    found = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1)
  end
  if found.err or #found == 0 then redis.call('HDEL', KEYS[2], id) end
end
return scan[1]
`,
  (reply) => parseText(reply, 'purge-attempts'),
);

/**
 * Lets what a group keeps for a stream that is gone expire.
 *
 * KEYS   1 stream, 2 the stream under the other name that has the same keys, or the same again, 3 position, 4 made blindly,
 *        5 ledger, 6 packed ledger, 7 leases, 8 attempts, 9 retries
 * ARGV   1 how long to keep them from now, ms
 * result how many keys expire that did not before
 * atomic because the stream may be created again meanwhile, and its group then keeps these keys.
 * twice  they expire already, and keep their time.
 *
 * The position means nothing for a new stream of the same name, and is deleted. Dead letters stay.
 */
export const expireOrphansScript = new Script(
  `
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('DEL', KEYS[3], KEYS[4])
local expiring = 0
for n = 5, #KEYS do
  if redis.call('PTTL', KEYS[n]) == -1 then expiring = expiring + redis.call('PEXPIRE', KEYS[n], ARGV[1]) end
end
return expiring
`,
  (reply) => parseCount(reply, 'expire-orphans'),
);
