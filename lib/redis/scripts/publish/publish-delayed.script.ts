import { delayedKeys, publishedAsKeys, publishedKeys } from '../../../wire/stream-keys.js';
import { parseCount, parseList, parseText } from '../../read/replies.js';
import { DUE_TIMES } from '../due-times.lua.js';
import { PUBLISHED_AS } from '../other-use.lua.js';
import { NOW, Script } from '../script.js';
import { PUBLISHED_LEDGER } from './published.lua.js';

/** The result for a stream with delayed messages. */
export interface PublishedLater {
  readonly published: number;
  /** In how many ms the next one is due; 0 or less if it is due already. Undefined if none waits. */
  readonly nextMs: number | undefined;
  /** Redis's error, if it refused the next one. */
  readonly refusal: string | undefined;
  /** How many were removed because their rows hold no entry: another program has written them. */
  readonly unreadable: number;
}

/** @param key the stream's own key */
export function publishDelayedKeys(key: string): string[] {
  const { delayed, messages } = delayedKeys(key);
  const { published, entryIds } = publishedKeys(key, '');
  return [key, delayed, messages, published, entryIds, ...publishedAsKeys(key)];
}

/**
 * Publishes the due messages of one stream: a page, by due time, and in the order of the calls if these are equal.
 *
 * KEYS   1 stream, 2 delayed (ZSET), 3 delayed messages (HASH), 4 published (ZSET), 5 entry IDs that do not fit into a
 *        score (HASH), 6 if another stream could have these keys: which one has (string)
 * ARGV   1 how many messages at most, 2 about how many bytes at most
 * result [messages published, ms until the next one is due or '' if none waits, the error of the next one or '', messages
 *        removed because their rows hold no entry]
 * atomic because two callers that both see a message as due would both publish it, and one that is cancelled meanwhile would
 *        be published nevertheless.
 * twice  the second call publishes the next page, which is due as well.
 *
 * The entry is written first, and right after it its message is removed. If Redis refuses an entry, its message keeps waiting,
 * and so do those after it, to keep the order. The de-duplication window of a message starts here. A member without its row,
 * or with the row of another call, was damaged by somebody else's delete, and is dropped. So is one whose row holds no entry:
 * it would keep all others from being published.
 */
export const publishDelayedScript = new Script(
  `${PUBLISHED_LEDGER}${DUE_TIMES}${PUBLISHED_AS}
local other = publishedAs(KEYS[6], KEYS[1])
if other then return other end
${NOW}
local count, bytes, mostBytes = 0, 0, tonumber(ARGV[2])
local refusal, scored, longest, large, unreadable = '', {}, 0, false, 0
-- The window, the limits, and the names and values of an entry that one call of XADD takes.
local function storedIn(row)
  local ok, stored = pcall(cmsgpack.unpack, string.sub(row, 17))
  if not ok or type(stored) ~= 'table' or not tonumber(stored[1]) then return nil end
  if #stored < 5 or #stored % 2 == 0 or #stored > 7900 then return nil end
  for n = 2, #stored do
    if type(stored[n]) ~= 'string' then return nil end
    if n < 4 and stored[n] ~= '' and not string.find(stored[n], '^%d+$') then return nil end
  end
  return stored
end
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[1])
for _, member in ipairs(due) do
  if bytes >= mostBytes then break end
  local digits, id = string.sub(member, 1, 16), string.sub(member, 17)
  local row = redis.call('HGET', KEYS[3], id)
  local isWhole = row and string.sub(row, 1, 16) == digits
  local stored = isWhole and storedIn(row)
  if stored then
    local window, maxLength, ttl = tonumber(stored[1]), stored[2], stored[3]
    local entry
    if maxLength == '' then
      entry = redis.pcall('XADD', KEYS[1], '*', unpack(stored, 4))
    else
      entry = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', maxLength, '*', unpack(stored, 4))
    end
    if type(entry) == 'table' then
      refusal = entry.err
      break
    end
    redis.call('ZREM', KEYS[2], member)
    redis.call('HDEL', KEYS[3], id)
    if ttl ~= '' then redis.call('PEXPIRE', KEYS[1], ttl) end
    if window > 0 then
      local score, inHash = scoreOf(entry, now)
      if inHash then
        large = true
        redis.call('HSET', KEYS[5], id, entry)
      end
      scored[#scored + 1] = score
      scored[#scored + 1] = id
      longest = math.max(longest, window)
    end
    count, bytes = count + 1, bytes + #row
  else
    redis.call('ZREM', KEYS[2], member)
    if isWhole then
      redis.call('HDEL', KEYS[3], id)
      unreadable = unreadable + 1
    end
  end
end
if #scored > 0 then
  redis.call('ZADD', KEYS[4], unpack(scored))
  keepFor(KEYS[4], KEYS[5], longest, large)
  forgetBefore(KEYS[4], KEYS[5], (now - longest + 1) * 2048, count)
end
-- Those that were accepted when Redis's clock was ahead are due earlier. Each call looks at the next hundred.
local waiting = redis.call('ZRANGE', KEYS[2], 0, 99, 'WITHSCORES')
for n = 1, #waiting, 2 do
  local latest = latestOf(tonumber(waiting[n + 1]), now)
  if latest then redis.call('ZADD', KEYS[2], latest, waiting[n]) end
end
local next = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if next[2] then return { count, string.format('%.0f', next[2] - now), refusal, unreadable } end
-- This also removes rows that have lost their member, and the sequence number.
redis.call('DEL', KEYS[3])
return { count, '', refusal, unreadable }
`,
  (reply): PublishedLater => {
    const [published, nextMs, refusal, unreadable] = parseList(reply, 'publish-delayed');
    const next = parseText(nextMs, 'publish-delayed');
    return {
      published: parseCount(published, 'publish-delayed'),
      nextMs: next === '' ? undefined : Number(next),
      refusal: parseText(refusal, 'publish-delayed') || undefined,
      unreadable: parseCount(unreadable, 'publish-delayed'),
    };
  },
);
