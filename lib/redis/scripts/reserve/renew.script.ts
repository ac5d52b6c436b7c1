import { parseText } from '../../read/replies.js';
import { DUE_TIMES } from '../due-times.lua.js';
import { LETTER_OF } from '../entry-ids.lua.js';
import { FENCE } from '../runs.lua.js';
import { evenIfFull, NOW, Script } from '../script.js';

/**
 * Renews the leases of messages that run or are about to, and resets the idle time of their pending entries. Of a redrive it
 * moves the time when it is due for others.
 *
 * KEYS   1 stream, 2 leases (HASH), 3 retries (ZSET)
 * ARGV   1 group, 2 consumer, 3 holder's token, 4 lease ms, 5 '1' if entries have leases (a redrive always has one), then
 *        for each message: entry ID or redrive's ID, the ID of its lease
 * result a text with one letter for each message, in order: k kept, l lost to another holder or ended
 * atomic because another holder could take the lease between the check and the renewal.
 * twice  it is renewed once more.
 */
export const renewScript = new Script(
  `${LETTER_OF}${FENCE}${DUE_TIMES}
${NOW}
${evenIfFull('KEYS[2]')}
local group, consumer, token = ARGV[1], ARGV[2], ARGV[3]
local ends = string.format('%.0f', now + ARGV[4])
local answers = {}
for i = 6, #ARGV, 2 do
  local entry, id = ARGV[i], ARGV[i + 1]
  local redrive = letterOf(entry)
  local owned = not redrive and isPendingFor(consumer, KEYS[1], group, entry)
  local kept = owned
  if redrive or ARGV[5] == '1' then
    kept = leaseHeldBy(KEYS[2], id, token, entry)
    if kept then redis.call('HSET', KEYS[2], id, (string.gsub(kept, '%d+$', ends))) end
  end
  if kept and redrive then redis.call('ZADD', KEYS[3], 'XX', scoreIn(now, tonumber(ARGV[4])), entry) end
  if kept and owned then redis.call('XCLAIM', KEYS[1], group, consumer, 0, entry, 'JUSTID') end
  answers[#answers + 1] = kept and 'k' or 'l'
end
return table.concat(answers)
`,
  (reply) => [...parseText(reply, 'renew')].map((letter) => letter === 'k'),
);
