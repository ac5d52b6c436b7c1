import { parseList } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Says in which of many streams something is due. To take it is another script, with more keys for each stream: here it is
 * found out for which of them those are worth sending.
 *
 * KEYS   for each stream: its retries (ZSET)
 * ARGV   none
 * result the numbers of the streams in which something is due, the first being 0
 * atomic it only looks. What becomes due after it is found by the next check.
 * twice  the same, of another moment.
 */
export const dueStreamsScript = new Script(
  `
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local due = {}
-- Most often nothing waits anywhere, and one command says so.
local some = #KEYS > 5000 or redis.call('EXISTS', unpack(KEYS)) > 0
for n = 1, some and #KEYS or 0 do
  if #redis.call('ZRANGEBYSCORE', KEYS[n], '-inf', now, 'LIMIT', 0, 1) > 0 then due[#due + 1] = n - 1 end
end
return due
`,
  (reply) => parseList(reply, 'due-streams').map(Number),
);
