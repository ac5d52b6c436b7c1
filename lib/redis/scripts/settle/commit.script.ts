import { parseCount } from '../../read/replies.js';
import { LETTER_OF, NOTE_POSITION } from '../entry-ids.lua.js';
import { evenIfFull, NOW_TEXT, Script } from '../script.js';

/**
 * Records messages whose handlers succeeded.
 *
 * KEYS   1 stream, 2 ledger (ZSET), 3 leases (HASH), 4 retries (ZSET), 5 attempts (HASH), 6 position (string)
 * ARGV   1 group, 2 '1' if there is a ledger, 3 entry IDs, 4 their message IDs, both as JSON lists,
 *        5 the highest of the entry IDs
 * result how many entries this call acknowledged
 * atomic because a message in the ledger that is still pending would be acknowledged late, and one that is acknowledged without
 *        a ledger entry would run again if it is published again.
 * twice  the second time all of it is already done. It needs no fence: a late success is still a success.
 *
 * The ledger is written first: if a command fails, what came before it stays.
 */
export const commitScript = new Script(
  `${NOTE_POSITION}
${NOW_TEXT}
${evenIfFull('KEYS[3]')}
local entries = cjson.decode(ARGV[3])
if ARGV[2] == '1' then
  local ids, scored = cjson.decode(ARGV[4]), {}
  for n = 1, #ids do
    scored[n * 2 - 1], scored[n * 2] = now, ids[n]
  end
  redis.call('ZADD', KEYS[2], unpack(scored))
  redis.call('HDEL', KEYS[3], unpack(ids))
end
if redis.call('EXISTS', KEYS[4]) == 1 then redis.call('ZREM', KEYS[4], unpack(entries)) end
if redis.call('EXISTS', KEYS[5]) == 1 then redis.call('HDEL', KEYS[5], unpack(entries)) end
notePosition(KEYS[6], ARGV[5])
return redis.call('XACK', KEYS[1], ARGV[1], unpack(entries))
`,
  (reply) => parseCount(reply, 'commit'),
);

/**
 * Records redrives whose handlers succeeded. Only their dead letters exist: no entry is pending.
 *
 * KEYS   1 ledger (ZSET), 2 leases (HASH), 3 retries (ZSET), 4 attempts (HASH), 5 dead letters (stream)
 * ARGV   1 '1' if there is a ledger, then for each: the redrive's ID, message ID, the ID of its lease
 * result how many dead letters this call removed
 * atomic because a message in the ledger whose dead letter remains would look failed, and a dead letter that is removed without
 *        a ledger entry would run again if its message is published again.
 * twice  the second time all of it is already done. It needs no fence: a late success is still a success.
 *
 * The ledger is written first: if a command fails, what came before it stays.
 */
export const commitRedrivesScript = new Script(
  `${LETTER_OF}
${NOW_TEXT}
${evenIfFull('KEYS[2]')}
local removed = 0
for i = 2, #ARGV, 3 do
  local member, id, lease = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if ARGV[1] == '1' then redis.call('ZADD', KEYS[1], now, id) end
  removed = removed + redis.call('XDEL', KEYS[5], letterOf(member))
  redis.call('HDEL', KEYS[2], lease)
  redis.call('ZREM', KEYS[3], member)
  redis.call('HDEL', KEYS[4], member)
end
return removed
`,
  (reply) => parseCount(reply, 'commit-redrives'),
);

/**
 * Acknowledges an entry that was deleted from its stream while it was pending: nothing is left to handle or keep.
 *
 * KEYS   1 stream, 2 retries (ZSET), 3 attempts (HASH)
 * ARGV   1 group, 2 entry ID
 * result 1 if this call acknowledged it, else 0
 * atomic because otherwise a retry or an attempt could remain for an entry that is no longer pending.
 * twice  the second time it is already done.
 */
export const acknowledgeDeletedScript = new Script(
  `
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
local acknowledged = redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[2])
return type(acknowledged) == 'number' and acknowledged or 0
`,
  (reply) => parseCount(reply, 'acknowledge-deleted'),
);
