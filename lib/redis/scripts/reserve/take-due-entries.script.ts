import { parseEntries, parseList, parseText, type RawEntry } from '../../read/replies.js';
import { DUE_TIMES } from '../due-times.lua.js';
import { LETTER_OF } from '../entry-ids.lua.js';
import { evenIfFull, NOW, Script } from '../script.js';

/**
 * Lua: `takeDue` takes one entry or redrive that is due, and returns it. Returns nil if nobody will ask for it again, since it was
 * settled or its group is gone. `keys` are the stream, its retries, attempts and dead letters. Includes {@link LETTER_OF}.
 */
export const TAKE_DUE = `${LETTER_OF}
local function takeDue(id, isScheduled, keys, group, consumer, later)
  local stream, retries, attempts, letters = unpack(keys)
  local letter = letterOf(id)
  if letter then
    local found = isScheduled and redis.pcall('XRANGE', letters, letter, letter)[1]
    if found then
      redis.call('ZADD', retries, later, id)
      return { id, found[2] }
    end
  else
    local pending = redis.pcall('XPENDING', stream, group, id, id, 1)
    if pending.err == nil and #pending > 0 then
      local entry = redis.call('XRANGE', stream, id, id)[1]
      redis.call('XCLAIM', stream, group, consumer, 0, id, 'JUSTID')
      redis.call('ZREM', retries, id)
      return { id, entry and entry[2] or false }
    end
  end
  redis.call('HDEL', attempts, id)
  redis.call('ZREM', retries, id)
end
`;

/** What was due in one stream. */
interface TakenOfStream {
  readonly entries: readonly RawEntry[];
  /** In how many ms the next one is due; 0 if more is due already. Undefined if none waits. */
  readonly nextMs: number | undefined;
}

/** What was due, for each stream, and when Redis looked. */
export interface TakenDue {
  readonly nowMs: number;
  readonly streams: readonly TakenOfStream[];
}

/**
 * Takes what is due in all streams of a consumer: entries whose waiting time is over, whichever member had them.
 *
 * KEYS   for each stream: the stream, its retries (ZSET), attempts (HASH), dead letters (stream)
 * ARGV   1 group, 2 consumer, 3 lease ms, then for each stream: how many it may take, and '0' to leave entries that were
 *        handed back, else '-inf'
 * result Redis's time in ms as text, then for each stream [ms until the next one is due, 0 if more is due, '' if none waits,
 *        a list of entries [id, fields]; a deleted entry has nil fields]. A redrive comes with its own ID and the
 *        fields of its dead letter. It is due again after a lease, since nothing else records who has it
 * atomic because two members that both see an entry as due would both run it.
 * twice  what the first call took is pending for the consumer, which looks for it after the reconnect that caused the
 *        second one. A redrive is taken again after a lease.
 *
 * The keys of all streams are read before the first write: the answer to a refused call does not name what it took, and one
 * stream must not keep the others from what is theirs.
 */
export const takeDueEntriesScript = new Script(
  `${TAKE_DUE}${DUE_TIMES}
${NOW}
${evenIfFull('KEYS[3]')}
local later = scoreIn(now, tonumber(ARGV[3]))
local due, taken = {}, { string.format('%.0f', now) }
for n = 1, #KEYS / 4 do
  local limit, at = ARGV[n * 2 + 2], n * 4
  local lowest, highest = ARGV[n * 2 + 3], string.format('%.0f', now)
  due[n] = limit == '0' and {} or redis.call('ZRANGEBYSCORE', KEYS[at - 2], lowest, highest, 'LIMIT', 0, limit)
  if #due[n] > 0 then
    redis.call('XRANGE', KEYS[at - 3], '+', '-')
    redis.call('HGET', KEYS[at - 1], '')
    redis.call('XRANGE', KEYS[at], '+', '-')
  end
end
for n = 1, #due do
  local keys, entries = { unpack(KEYS, n * 4 - 3, n * 4) }, {}
  for _, id in ipairs(due[n]) do entries[#entries + 1] = takeDue(id, true, keys, ARGV[1], ARGV[2], later) end
  local next = redis.call('ZRANGEBYSCORE', keys[2], ARGV[n * 2 + 3], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  local nextMs = next and math.min(math.max(0, math.ceil(tonumber(next) - now)), 2147483647)
  taken[n + 1] = { nextMs and string.format('%.0f', nextMs) or '', entries }
end
return taken
`,
  (reply): TakenDue => {
    const [now, ...streams] = parseList(reply, 'take-due-entries');
    return {
      nowMs: Number(parseText(now, 'take-due-entries')),
      streams: streams.map(ofStream),
    };
  },
);

function ofStream(reply: unknown): TakenOfStream {
  const [next, entries] = parseList(reply, 'take-due-entries');
  const nextMs = parseText(next, 'take-due-entries');
  return {
    entries: parseEntries(entries, 'take-due-entries'),
    nextMs: nextMs === '' ? undefined : Number(nextMs),
  };
}
