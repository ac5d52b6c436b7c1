import { UnexpectedReplyError } from '../../../errors/redis.errors.js';
import { parseText } from '../../read/replies.js';
import { Script } from '../script.js';
import { ENTRY_ORDER } from './entry-order.lua.js';
import { MEMBERS } from '../admin/members.lua.js';

/** What became of a group, and the entry ID after which it goes on; where its stream is gone that is 0-0. */
export interface EnsuredGroup {
  readonly kind: 'exists' | 'made' | 'set-back' | 'gone';
  readonly after: string;
}

const KINDS: Record<string, EnsuredGroup['kind']> = {
  e: 'exists',
  m: 'made',
  b: 'set-back',
  g: 'gone',
};

/**
 * Sees to it that a group is there, and where it has to be; and says that the caller is an alive member of it.
 *
 * KEYS   1 stream, 2 position (string), 3 made blindly (string), 4 ledger, 5 leases, 6 attempts, 7 packed ledger,
 *        8 members (ZSET), 9 versions (HASH)
 * ARGV   1 group, 2 where a new group begins ('$', '0', an entry ID, or '<' and a time in ms: at the end, or at that time
 *        where the stream has newer entries), 3 the highest entry ID that the caller knows to be given out, or '' where it
 *        knows of none, 4 for how long to remember a group that was made blindly, ms,
 *        5 '' where a stream that is not there is made, else for how long to keep what is known beside it, ms,
 *        6 consumer, 7 for how long it counts as alive, ms, or 0 where its row is not here, 8 its version
 * result a letter and an entry ID: e exists and stands at, m was made after, b was set back to, g the stream is gone
 * atomic because two members may find it gone at once, and the position must be that of the stream it is made on.
 * twice  the second time it exists.
 *
 * A group that was there once is made again where it was; from the beginning where the stream itself is a new one. A
 * member that cannot know where that was makes it where a new group begins, and says so in key 3: a member that does
 * know, and comes later, then sets it back.
 *
 * A stream that nobody named is not made. What was given out of it means nothing for one that has its name later; the
 * ledger still does, and what may never be asked for again goes when its time is over.
 */
export const ensureGroupScript = new Script(
  `${ENTRY_ORDER}${MEMBERS}
local function ensure()
  local group, known = ARGV[1], ARGV[3]
  local last, at = '0-0', nil
  if ARGV[5] ~= '' and redis.call('TYPE', KEYS[1])['ok'] ~= 'stream' then
    redis.call('DEL', KEYS[2], KEYS[3])
    for n = 4, 7 do redis.call('PEXPIRE', KEYS[n], ARGV[5]) end
    return 'g 0-0'
  end
  for n = 4, 7 do redis.call('PERSIST', KEYS[n]) end
  if redis.call('EXISTS', KEYS[1]) == 1 then
    for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
      local info = {}
      for i = 1, #row, 2 do info[row[i]] = row[i + 1] end
      if info['name'] == group then at = info['last-delivered-id'] end
    end
    local info = redis.call('XINFO', 'STREAM', KEYS[1])
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
  end

  local position = redis.call('GET', KEYS[2])
  if known ~= '' and after(known, last) then known = '0-0' end

  if at then
    local blind = redis.call('GET', KEYS[3])
    if blind and known ~= '' and after(blind, known) then
      redis.call('XGROUP', 'SETID', KEYS[1], group, known)
      redis.call('SET', KEYS[3], known, 'KEEPTTL')
      return 'b ' .. known
    end
    return 'e ' .. at
  end

  if position and after(position, last) then position = '0-0' end
  local from = position
  if known ~= '' and (not from or after(known, from)) then from = known end
  if from then
    redis.call('DEL', KEYS[3])
  else
    from = ARGV[2]
    local since = string.match(from, '^<(%d+)$')
    if since then from = after(last, since .. '-0') and since .. '-0' or last end
    if from == '$' then from = last elseif from == '0' then from = '0-0' end
    redis.call('SET', KEYS[3], from, 'PX', ARGV[4])
  end
  redis.call('XGROUP', 'CREATE', KEYS[1], group, from, 'MKSTREAM')
  return 'm ' .. from
end

local ensured, lasts = ensure(), tonumber(ARGV[7])
-- Where the record cannot be written, the group is there all the same.
if lasts > 0 and ensured ~= 'g 0-0' then pcall(sayingAlive(ARGV[6], lasts, ARGV[8]), KEYS[8], KEYS[9]) end
return ensured
`,
  (reply): EnsuredGroup => {
    const [letter = '', after] = parseText(reply, 'ensure-group').split(' ');
    const kind = KINDS[letter];
    if (kind === undefined || after === undefined) throw new UnexpectedReplyError('ensure-group');
    return { kind, after };
  },
);
