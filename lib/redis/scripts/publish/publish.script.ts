import { parseText } from '../../read/replies.js';
import { PUBLISHED_AS } from '../other-use.lua.js';
import { NOW, Script } from '../script.js';
import { PUBLISHED_LEDGER, WAITING_ROW } from './published.lua.js';

/**
 * Publishes a batch of messages, each message ID once within the window.
 *
 * KEYS   1 stream, 2 published (ZSET), 3 entry IDs that do not fit into a score (HASH), 4 what this caller sent (string),
 *        5 delayed (ZSET), 6 delayed messages (HASH), 7 if another stream could have these keys: which one has (string)
 * ARGV   1 window ms, 2 the number of the batch: the caller numbers its batches for this stream; 0 if the caller generated all
 *        of its message IDs, so that nobody else can send them, 3 the lowest number without an answer yet, 4 how long to
 *        remember what the caller sent, ms, 5 about how many entries the stream keeps, or '', 6 how long the stream lasts
 *        from now, ms, or '', 7 how many messages, then their IDs, then for each message how many field names and values
 *        it has, and these
 * result a text with an entry ID for each message, in order, separated by spaces; after `d` for a duplicate, and `d` alone for
 *        one that waits to be published later. If Redis refused an entry, `!` and its error end the text
 * atomic because two callers that both find an ID missing would both write it.
 * twice  what was written is found, and gets the same entry IDs. KEYS[4] shows whether it was a duplicate: the highest number
 *        that was executed, and which messages of the unanswered batches were duplicates.
 *
 * Entries are written first: they matter most. The stream's limits are applied once for a batch, and only if it wrote
 * something: a duplicate does not extend the stream's expiry.
 */
export const publishScript = new Script(
  `${PUBLISHED_LEDGER}${WAITING_ROW}${PUBLISHED_AS}
local other = publishedAs(KEYS[7], KEYS[1])
if other then return other end
local pcall, unpack = redis.pcall, unpack
${NOW}
local window, batch, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[7])
local since = (now - window + 1) * 2048

local mark, again, noted = false, false, {}
if batch > 0 then
  mark = redis.call('GET', KEYS[4])
  again = mark and tonumber(string.match(mark, '^%d+')) >= batch
end

local function noteOf(n) return ' ' .. ARGV[2] .. '/' .. n .. ' ' end

-- An ID that was generated for this call cannot wait yet.
local waiting = batch > 0 and redis.call('EXISTS', KEYS[5]) == 1
local scores = redis.call('ZMSCORE', KEYS[2], unpack(ARGV, 8, 7 + count))
local written, scored, answers, refusal, large = {}, {}, {}, nil, false
local at = 8 + count
for n = 1, count do
  local id, fields = ARGV[7 + n], tonumber(ARGV[at])
  local first, score = written[id], scores[n] and tonumber(scores[n])
  if not first and score and score >= since then first = entryOf(score, id, KEYS[3]) end
  if not first and waiting and waitingRow(KEYS[5], KEYS[6], id) then first = '' end
  -- The delayed message of which it was a duplicate may have been cancelled since.
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

-- With small batches, one in about sixteen removes more than came since the last time, and the others skip the check.
if count > 3 or time[2] % 16 == 0 then forgetBefore(KEYS[2], KEYS[3], since, count) end
if refusal then answers[#answers + 1] = '!' .. refusal.err end
return table.concat(answers, ' ')
`,
  (reply): PublishedBatch => publishedBatch(parseText(reply, 'publish')),
);

/** The result for one message of a batch. */
interface Published {
  /** Null if it waits to be published later. */
  readonly entryId: string | null;
  /** Whether another call had sent a message with this ID. */
  readonly duplicate: boolean;
}

/** The result for a batch: for its first messages, and Redis's error if it refused the rest. */
export interface PublishedBatch {
  readonly published: readonly Published[];
  readonly refusal: string | undefined;
}

/** Reads the answer for a batch: for each message an entry ID, or `-` if there is none; `d` before a duplicate. */
export function publishedBatch(text: string): PublishedBatch {
  const [answers = '', refusal] = text.split(/ ?!(.*)/s);
  return {
    refusal,
    published: answers.split(' ').map((answer) => {
      const duplicate = answer.startsWith('d');
      const entryId = duplicate ? answer.slice(1) : answer;
      return { entryId: entryId === '' || entryId === '-' ? null : entryId, duplicate };
    }),
  };
}
