import { parseCount, parseList, parseText } from '../../read/replies.js';
import { INFO_OF, NOW_TEXT, Script } from '../script.js';

/** A stream and one of its groups. IDs are empty if there is no such entry. */
export interface InspectedStream {
  /** Redis's clock, in ms. */
  readonly nowMs: number;
  readonly exists: boolean;
  readonly length: number;
  readonly firstId: string;
  readonly lastId: string;
  /** Undefined if there is no such group. */
  readonly group: InspectedGroup | undefined;
  readonly ledgerSize: number;
  readonly retries: number;
  /** When the next retry is due, in ms. Undefined if none waits. */
  readonly nextRetryAtMs: number | undefined;
  readonly deadLetters: number;
  readonly oldestDeadLetterId: string;
}

interface InspectedGroup {
  readonly pending: number;
  readonly oldestPendingId: string;
  readonly oldestUnreadId: string;
  /** Undefined if Redis does not know it, or may be wrong. */
  readonly lag: number | undefined;
  readonly consumers: readonly InspectedConsumer[];
}

interface InspectedConsumer {
  readonly name: string;
  /** Time since its last request, in ms. */
  readonly idleMs: number;
  readonly pending: number;
}

/**
 * Inspects a stream and one of its groups. It changes nothing.
 *
 * KEYS   1 stream, 2 ledger (ZSET), 3 retries (ZSET), 4 dead letters (stream), 5 packed ledger (HASH)
 * ARGV   1 group
 * result [time in ms, length or -1 if there is no stream, first ID, last ID, group, ledger's size, retries, when the next is
 *        due as text, dead letters, ID of the oldest]; IDs are '' if there are none. The group is nil if it does not
 *        exist, else [pending, ID of the oldest pending, ID of the oldest unread, lag or -1, names of consumers, their
 *        idle ms, their pending]
 * atomic because counts and ages of one moment agree, and entries need not be sent only for their IDs.
 * twice  it looks again.
 *
 * Before Redis 8, Redis's own lag is wrong if unread entries were trimmed. So a small lag is counted. Redis's number is used if
 * nothing ever left the stream, and from Redis 8 on.
 */
export const inspectStreamScript = new Script(
  `${INFO_OF}
${NOW_TEXT}
local stream, group = KEYS[1], ARGV[1]
local function firstOf(command, key, from, to)
  local found = redis.pcall(command, key, from, to, 'COUNT', 1)
  return found[1] and found[1][1] or ''
end

local function count(after)
  local counted, bytes = 0, 0
  while counted < 200 and bytes < 65536 do
    local page = redis.call('XRANGE', stream, '(' .. after, '+', 'COUNT', 10)
    counted = counted + #page
    if #page < 10 then return counted end
    after = page[10][1]
    for _, entry in ipairs(page) do
      for _, field in ipairs(entry[2]) do bytes = bytes + #field end
    end
  end
  return -1
end
local function lagOf(info, length, first, unread)
  if unread == '' then return 0 end
  if unread == first then return length end
  local counted = count(info['last-delivered-id'])
  if counted >= 0 then return counted end
  local added = infoOf(redis.call('XINFO', 'STREAM', stream))['entries-added']
  local isNew = redis.REDIS_VERSION_NUM and redis.REDIS_VERSION_NUM >= 0x00080000
  return info['lag'] and (isNew or added == length) and info['lag'] or -1
end

local isStream = redis.call('TYPE', stream).ok == 'stream'
local length, first, last, row = -1, '', '', false
if isStream then
  length = redis.call('XLEN', stream)
  first, last = firstOf('XRANGE', stream, '-', '+'), firstOf('XREVRANGE', stream, '+', '-')
  for _, groupRow in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = infoOf(groupRow)
    if info['name'] == group then
      local unread = firstOf('XRANGE', stream, '(' .. info['last-delivered-id'], '+')
      local pending = info['pending'] > 0 and redis.call('XPENDING', stream, group)[2] or ''
      local names, idle, held = {}, {}, {}
      for n, one in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
        local consumer = infoOf(one)
        names[n], idle[n], held[n] = consumer['name'], consumer['idle'], consumer['pending']
      end
      row = { info['pending'], pending, unread, lagOf(info, length, first, unread), names, idle, held }
    end
  end
end
local packed = tonumber(redis.call('HGET', KEYS[5], 'entries') or 0)
local due = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2]
return {
  now, length, first, last, row, redis.call('ZCARD', KEYS[2]) + packed, redis.call('ZCARD', KEYS[3]), due or '',
  redis.call('XLEN', KEYS[4]), firstOf('XRANGE', KEYS[4], '-', '+'),
}
`,
  parseInspected,
);

const FROM = 'inspect-stream';

function parseInspected(reply: unknown): InspectedStream {
  const [now, length, first, last, group, ledger, retries, due, dead, oldest] = parseList(
    reply,
    FROM,
  );
  const dueAt = parseText(due, FROM);
  const count = parseCount(length, FROM);
  return {
    nowMs: Number(parseText(now, FROM)),
    exists: count >= 0,
    length: Math.max(0, count),
    firstId: parseText(first, FROM),
    lastId: parseText(last, FROM),
    group: group === null ? undefined : parseGroup(group),
    ledgerSize: parseCount(ledger, FROM),
    retries: parseCount(retries, FROM),
    nextRetryAtMs: dueAt === '' ? undefined : Math.ceil(Number(dueAt)),
    deadLetters: parseCount(dead, FROM),
    oldestDeadLetterId: parseText(oldest, FROM),
  };
}

function parseGroup(reply: unknown): InspectedGroup {
  const [pending, oldest, unread, lag, names, idle, held] = parseList(reply, FROM);
  const known = parseCount(lag, FROM);
  const [idles, helds] = [parseList(idle, FROM), parseList(held, FROM)];
  return {
    pending: parseCount(pending, FROM),
    oldestPendingId: parseText(oldest, FROM),
    oldestUnreadId: parseText(unread, FROM),
    lag: known < 0 ? undefined : known,
    consumers: parseList(names, FROM).map((name, at) => ({
      name: parseText(name, FROM),
      idleMs: parseCount(idles[at], FROM),
      pending: parseCount(helds[at], FROM),
    })),
  };
}
