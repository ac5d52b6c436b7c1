import { parseText } from '../replies.js';
import { Script } from '../script.js';

/** What became of one message of a batch. */
interface Published {
  readonly entryId: string;
  /** Whether an entry of its message ID was there already, which another call wrote. */
  readonly duplicate: boolean;
}

/** What became of a batch: of its first messages, and what Redis said of the rest, where it refused that. */
export interface PublishedBatch {
  readonly published: readonly Published[];
  readonly refusal: string | undefined;
}

/**
 * Publishes a batch of messages, each message ID once within the window.
 *
 * KEYS   1 stream, 2 published (ZSET), 3 entry IDs that do not fit into a score (HASH), 4 what this caller sent (string)
 * ARGV   1 window ms, 2 the batch's number: the caller counts its batches for this stream; 0 where the caller made all of
 *        its message IDs, and so knows that it is the only one to send them, 3 the lowest number that is not answered yet,
 *        4 how long to remember what the caller sent, in ms, 5 how many entries the stream keeps, about, or '', 6 how long
 *        the stream lasts from here on, in ms, or '', 7 how many messages, then their IDs, then for each message the number
 *        of its field names and values, and these
 * result a text with an entry ID for each message, in order and with a space between them; `d` stands before one that was
 *        there already. Where Redis refused an entry, `!` and its words end the text
 * atomic because two callers who both find an ID missing would both write it.
 * twice  what was written is found, and the same entry IDs are given. Whether it was a duplicate is known from KEYS[4]: the
 *        highest number that was executed, and which messages of the unanswered batches were duplicates then.
 *
 * A score is the ms of the entry ID times 2048 plus its sequence number, so that the entry ID is in it; a sequence number
 * of 2047 says that it is in the hash. This is exact until the year 2109. Entries come first: they are what must last.
 * The stream's limits are held once for a batch, and where something was written: a duplicate makes no stream last longer.
 */
export const publishScript = new Script(
  `
local pcall, unpack, sub = redis.pcall, unpack, string.sub
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window, batch, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[7])
local since = (now - window + 1) * 2048
local nowText = string.format('%.0f-', now)

local mark, again, noted = false, false, {}
if batch > 0 then
  mark = redis.call('GET', KEYS[4])
  again = mark and tonumber(string.match(mark, '^%d+')) >= batch
end

local scores = redis.call('ZMSCORE', KEYS[2], unpack(ARGV, 8, 7 + count))
local written, scored, answers, refusal, large = {}, {}, {}, nil, false
local at = 8 + count
for n = 1, count do
  local id, fields = ARGV[7 + n], tonumber(ARGV[at])
  local first, score = written[id], tonumber(scores[n] or 0)
  if not first and score >= since then
    local low = score % 2048
    if low < 2047 then
      first = string.format('%.0f-%d', (score - low) / 2048, low)
    else
      first = redis.call('HGET', KEYS[3], id)
    end
  end
  if first then
    local note = ' ' .. ARGV[2] .. '/' .. n .. ' '
    local duplicate = not again or string.find(mark, note, 1, true)
    if batch > 0 and not again then noted[#noted + 1] = note end
    answers[n] = duplicate and 'd' .. first or first
  else
    local entry = pcall('XADD', KEYS[1], '*', unpack(ARGV, at + 1, at + fields))
    if type(entry) == 'table' then
      refusal = entry
      break
    end
    local ms, seq = now, nil
    if sub(entry, 1, #nowText) == nowText then
      seq = tonumber(sub(entry, #nowText + 1))
    else
      ms, seq = string.match(entry, '^(%d+)-(%d+)$')
      ms, seq = tonumber(ms), tonumber(seq)
    end
    -- The stream's clock is Redis's, unless that was set back: then the last entry's time goes on.
    if seq < 2047 and ms >= now and ms < now + 1000 then
      score = ms * 2048 + seq
    else
      score, large = now * 2048 + 2047, true
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
-- Renewed seldom: each time is a command more for replicas and for the append-only file.
if redis.call('PTTL', KEYS[2]) < window then redis.call('PEXPIRE', KEYS[2], ARGV[1] * 2) end
if large then redis.call('PEXPIRE', KEYS[3], ARGV[1] * 2 + 1000) end
if batch > 0 and not again then
  local kept = {}
  if mark then
    for number, index in string.gmatch(mark, ' (%d+)/(%d+) ') do
      if tonumber(number) >= tonumber(ARGV[3]) then kept[#kept + 1] = ' ' .. number .. '/' .. index .. ' ' end
    end
  end
  redis.call('SET', KEYS[4], ARGV[2] .. table.concat(kept) .. table.concat(noted), 'PX', ARGV[4])
end

-- More than comes in, so that it ends; and no more than takes a moment.
local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if oldest[2] and tonumber(oldest[2]) < since then
  local left = redis.call('ZCOUNT', KEYS[2], '-inf', string.format('(%.0f', since))
  local last = math.min(left, 2 * count + 100) - 1
  if redis.call('EXISTS', KEYS[3]) == 1 then
    redis.call('HDEL', KEYS[3], unpack(redis.call('ZRANGE', KEYS[2], 0, last)))
  end
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, last)
end
if refusal then answers[#answers + 1] = '!' .. refusal.err end
return table.concat(answers, ' ')
`,
  (reply): PublishedBatch => {
    const [answers = '', refusal] = parseText(reply, 'publish').split(/ ?!(.*)/s);
    return {
      refusal,
      published: answers.split(' ').map((answer) => {
        const duplicate = answer.startsWith('d');
        return { entryId: duplicate ? answer.slice(1) : answer, duplicate };
      }),
    };
  },
);
