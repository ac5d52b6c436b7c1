import { parseText } from '../../read/replies.js';
import { DUE_TIMES } from '../due-times.lua.js';
import { PUBLISHED_AS } from '../other-use.lua.js';
import { NOW, Script } from '../script.js';
import { type PublishedBatch, publishedBatch } from './publish.script.js';
import { PUBLISHED_LEDGER, WAITING_ROW } from './published.lua.js';

/**
 * Stores a batch of messages to be published later, each message ID once.
 *
 * KEYS   1 delayed (ZSET), 2 delayed messages (HASH), 3 published (ZSET), 4 entry IDs that do not fit into a score
 *        (HASH), 5 what this caller sent (string), 6 if another stream could have these keys: which one has (string)
 * ARGV   1 window ms of published messages, 0 if none are remembered, 2 the number of the batch: the caller numbers its
 *        batches for this stream, 3 the lowest number without an answer yet, 4 how long to remember what the caller
 *        sent, ms, 5 about how many entries the stream keeps, or '', 6 how long the stream lasts after a write, ms, or '',
 *        7 how many messages, then for each: its ID, when it is due (`+` and ms from now, or ms since 1970), how many field
 *        names and values it has, and these. The last one is the stream's key
 * result a text with `-` for each message that was accepted, in order, separated by spaces; `d` for one whose ID already waits,
 *        followed by an entry ID if it was published within the window
 * atomic because two callers that both find an ID missing would both store it, and one of the two could be cancelled.
 * twice  nothing is stored a second time, even if it was published or cancelled meanwhile. KEYS[5] shows whether it was a
 *        duplicate: which of the unanswered batches were executed, and which of their messages were duplicates.
 *
 * The row is written first: without its member it waits for nothing, and the caller gets an error. If Redis is out of memory,
 * nothing else happens.
 */
export const delayScript = new Script(
  `${PUBLISHED_LEDGER}${WAITING_ROW}${DUE_TIMES}${PUBLISHED_AS}
local other = publishedAs(KEYS[6], ARGV[#ARGV])
if other then return other end
${NOW}
local window, count = tonumber(ARGV[1]), tonumber(ARGV[7])
local since = (now - window + 1) * 2048
local mark, number = redis.call('GET', KEYS[5]) or '', ' ' .. ARGV[2] .. ' '
local again = string.find(mark, number, 1, true)

local function published(id)
  local score = window > 0 and redis.call('ZSCORE', KEYS[3], id)
  return score and tonumber(score) >= since and entryOf(tonumber(score), id, KEYS[4])
end

local answers, noted = {}, {}
local at = 8
for n = 1, count do
  local id, due, fields = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local note = ' ' .. ARGV[2] .. '/' .. n .. ' '
  if again then
    answers[n] = string.find(mark, note, 1, true) and 'd' .. (published(id) or '') or '-'
  else
    local first = published(id)
    if first or waitingRow(KEYS[1], KEYS[2], id) then
      answers[n] = 'd' .. (first or '')
      noted[#noted + 1] = note
    else
      local digits = string.format('%016.0f', redis.call('HINCRBY', KEYS[2], '', 1))
      local entry = { ARGV[1], ARGV[5], ARGV[6], unpack(ARGV, at + 3, at + 2 + fields) }
      redis.call('HSET', KEYS[2], id, digits .. cmsgpack.pack(entry))
      local isRelative = string.sub(due, 1, 1) == '+'
      local dueAt = isRelative and scoreIn(now, tonumber(due)) or string.format('%.0f', tonumber(due))
      redis.call('ZADD', KEYS[1], dueAt, digits .. id)
      answers[n] = '-'
    end
  end
  at = at + 3 + fields
end
if not again then
  local kept = {}
  for earlier, index in string.gmatch(mark, ' (%d+)(/?%d*) ') do
    if tonumber(earlier) >= tonumber(ARGV[3]) then kept[#kept + 1] = ' ' .. earlier .. index .. ' ' end
  end
  redis.call('SET', KEYS[5], table.concat(kept) .. number .. table.concat(noted), 'PX', ARGV[4])
end
return table.concat(answers, ' ')
`,
  (reply): PublishedBatch => publishedBatch(parseText(reply, 'delay')),
);
