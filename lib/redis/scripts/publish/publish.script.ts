import { parseText } from '../../read/replies.js';
import { Script } from '../script.js';
import { type PublishedBatch, publishedBatch } from './published-batch.js';
import { PUBLISHED_LEDGER } from './published-ledger.lua.js';
import { WAITING_ROW } from '../reserve/waiting-row.lua.js';

/**
 * Publishes a batch of messages, each message ID once within the window.
 *
 * KEYS   1 stream, 2 published (ZSET), 3 entry IDs that do not fit into a score (HASH), 4 what this caller sent (string),
 *        5 delayed (ZSET), 6 what is to be published later (HASH)
 * ARGV   1 window ms, 2 the batch's number: the caller counts its batches for this stream; 0 where the caller made all of
 *        its message IDs, and so knows that it is the only one to send them, 3 the lowest number that is not answered yet,
 *        4 how long to remember what the caller sent, in ms, 5 how many entries the stream keeps, about, or '', 6 how long
 *        the stream lasts from here on, in ms, or '', 7 how many messages, then their IDs, then for each message the number
 *        of its field names and values, and these
 * result a text with an entry ID for each message, in order and with a space between them; `d` stands before one that was
 *        there already, and alone for one that waits to be published later. Where Redis refused an entry, `!` and its words
 *        end the text
 * atomic because two callers who both find an ID missing would both write it.
 * twice  what was written is found, and the same entry IDs are given. Whether it was a duplicate is known from KEYS[4]: the
 *        highest number that was executed, and which messages of the unanswered batches were duplicates then.
 *
 * Entries come first: they are what must last. The stream's limits are held once for a batch, and where something was written: a duplicate makes no stream last longer.
 */
export const publishScript = new Script(
  `${PUBLISHED_LEDGER}${WAITING_ROW}
local pcall, unpack = redis.pcall, unpack
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window, batch, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[7])
local since = (now - window + 1) * 2048

local mark, again, noted = false, false, {}
if batch > 0 then
  mark = redis.call('GET', KEYS[4])
  again = mark and tonumber(string.match(mark, '^%d+')) >= batch
end

local function noteOf(n) return ' ' .. ARGV[2] .. '/' .. n .. ' ' end

-- What was made for one call cannot wait already.
local waiting = batch > 0 and redis.call('EXISTS', KEYS[5]) == 1
local scores = redis.call('ZMSCORE', KEYS[2], unpack(ARGV, 8, 7 + count))
local written, scored, answers, refusal, large = {}, {}, {}, nil, false
local at = 8 + count
for n = 1, count do
  local id, fields = ARGV[7 + n], tonumber(ARGV[at])
  local first, score = written[id], tonumber(scores[n] or 0)
  if not first and score >= since then first = entryOf(score, id, KEYS[3]) end
  if not first and waiting and waitingRow(KEYS[5], KEYS[6], id) then first = '' end
  -- What it waited behind may have been cancelled since.
  if not first and again and string.find(mark, noteOf(n), 1, true) then first = '' end
  if first then
    local duplicate = first == '' or not again or string.find(mark, noteOf(n), 1, true)
    if batch > 0 and not again then noted[#noted + 1] = noteOf(n) end
    answers[n] = duplicate and 'd' .. first or first
  else
    local entry = pcall('XADD', KEYS[1], '*', unpack(ARGV, at + 1, at + fields))
    if type(entry) == 'table' then
      refusal = entry
      break
    end
    local inHash
    score, inHash = scoreOf(entry, now)
    if inHash then
      large = true
      redis.call('HSET', KEYS[3], id, entry)
    end
    scored[#scored + 1] = score
    scored[#scored + 1] = id
    written[id], answers[n] = entry, entry
  end
  at = at + fields + 1
end
if refusal and #answers == 0 then return refusal end

if #scored > 0 then
  redis.call('ZADD', KEYS[2], unpack(scored))
  if ARGV[5] ~= '' then redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[5]) end
  if ARGV[6] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[6]) end
end
keepFor(KEYS[2], KEYS[3], window, large)
if batch > 0 and not again then
  local kept = {}
  if mark then
    for number, index in string.gmatch(mark, ' (%d+)/(%d+) ') do
      if tonumber(number) >= tonumber(ARGV[3]) then kept[#kept + 1] = ' ' .. number .. '/' .. index .. ' ' end
    end
  end
  redis.call('SET', KEYS[4], ARGV[2] .. table.concat(kept) .. table.concat(noted), 'PX', ARGV[4])
end

-- Where few come at a time, one time of about sixteen forgets more than came since, and the others are spared the look.
if count > 3 or time[2] % 16 == 0 then forgetBefore(KEYS[2], KEYS[3], since, count) end
if refusal then answers[#answers + 1] = '!' .. refusal.err end
return table.concat(answers, ' ')
`,
  (reply): PublishedBatch => publishedBatch(parseText(reply, 'publish')),
);
