import { parseText } from '../replies.js';
import { Script } from '../script.js';

/**
 * Renews the leases of messages that run or are about to, and the idle time of their pending entries.
 *
 * KEYS   1 stream, 2 leases (HASH)
 * ARGV   1 group, 2 consumer, 3 holder's token, 4 lease ms, then for each message: entry ID, message ID
 * result a text with one letter for each message, in order: k kept, l lost to another holder or ended
 * atomic because between the look at the holder and the renewal another one could have taken the lease.
 * twice  it is renewed once more.
 */
export const renewScript = new Script(
  `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local group, consumer, token = ARGV[1], ARGV[2], ARGV[3]
local ends = string.format('%.0f', now + ARGV[4])
local answers = {}
for i = 5, #ARGV, 2 do
  local entry, id = ARGV[i], ARGV[i + 1]
  local row = redis.call('HGET', KEYS[2], id)
  local mine = token .. ' ' .. entry .. ' '
  if row and string.sub(row, 1, #mine) == mine then
    answers[#answers + 1] = 'k'
    redis.call('HSET', KEYS[2], id, (string.gsub(row, '%d+$', ends)))
    local pending = redis.pcall('XPENDING', KEYS[1], group, entry, entry, 1)
    if not pending.err and pending[1] and pending[1][2] == consumer then
      redis.call('XCLAIM', KEYS[1], group, consumer, 0, entry, 'JUSTID')
    end
  else
    answers[#answers + 1] = 'l'
  end
end
return table.concat(answers)
`,
  (reply) => [...parseText(reply, 'renew')].map((letter) => letter === 'k'),
);
