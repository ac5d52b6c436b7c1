import { UnexpectedReplyError } from '../../../errors/redis.errors.js';
import { parseText } from '../../read/replies.js';
import { ENTRY_ID_IN, ENTRY_ORDER } from '../entry-ids.lua.js';
import { MEMBERS } from '../members.lua.js';
import { OTHER_USE } from '../other-use.lua.js';
import { INFO_OF, NOW, Script } from '../script.js';

/**
 * What happened to a group, and the entry ID after which it continues; 0-0 if its stream is gone. `asks`: nothing happened, since
 * the caller knows of entries beyond the last one of the stream, and that is the entry ID.
 */
export interface EnsuredGroup {
  readonly kind: 'exists' | 'made' | 'set-back' | 'gone' | 'asks';
  readonly after: string;
}

const KINDS: Record<string, EnsuredGroup['kind']> = {
  e: 'exists',
  m: 'made',
  b: 'set-back',
  g: 'gone',
  a: 'asks',
};

/**
 * Creates a group if it is missing, or sets it back if it is too far ahead. Also records the caller as a living member.
 *
 * KEYS   1 stream, 2 position (string), 3 made blindly (string), 4 ledger, 5 leases, 6 attempts, 7 packed ledger,
 *        8 members (ZSET), 9 versions (HASH), 10 retries (ZSET), 11 exists if the group has these keys in use for something else
 * ARGV   1 group, 2 where a new group starts ('$', '0', an entry ID, '-' and how many ms ago, or '<' and a time in ms; if the
 *        stream has nothing newer, at its end), 3 the highest entry ID that the caller knows to have been delivered, or
 *        '', 4 how long to remember a group that was made blindly, ms, 5 '' to create a missing stream, else how long to
 *        keep the keys beside a missing stream, ms, 6 consumer, 7 how long it counts as alive, ms, or 0 if its row is
 *        not here, 8 its version, 9 '' or how long the stream lasts once a group is created, ms, 10 to answer a: entries that
 *        the group was given, newest first, then '0-0'
 * result a letter and an entry ID: e exists and is at, m made after, b set back to, g the stream is gone, a asks for the
 *        entries that the group was given up to this one, the last of the stream: ARGV 3 is later
 * atomic because two members may both find it missing, and the position must be that of the stream on which it is made. A
 *        stream that is created here would otherwise last for ever if its creator died.
 * twice  the second time it exists.
 *
 * A group that existed before is made again at its position, or from the beginning if the stream itself is new. A member that
 * does not know the position makes the group where new groups start and records that in key 3 ("made blindly"); a member that
 * knows better and comes later sets it back.
 *
 * If the stream's last entry is before ARGV 3, a failover has lost the newest entries, or the stream is a new one. It is the same
 * stream if it still holds an entry that the group was given, and the group continues after the newest of them; else from the
 * beginning.
 *
 * A stream found by a wildcard is not created. If it is gone, the position is deleted, since it means nothing for a new stream
 * of the same name. The ledger still does; it and the other keys that nobody may ask for again expire.
 */
export const ensureGroupScript = new Script(
  `${ENTRY_ORDER}${ENTRY_ID_IN}${MEMBERS}${INFO_OF}${OTHER_USE}
if KEYS[11] and redis.call('EXISTS', KEYS[11]) == 1 then return otherUse(KEYS[1], KEYS[11]) end
local function ensure()
  local group, known = ARGV[1], ARGV[3]
  local last, at = '0-0', nil
  if ARGV[5] ~= '' and redis.call('TYPE', KEYS[1])['ok'] ~= 'stream' then
    redis.call('DEL', KEYS[2], KEYS[3])
    for n = 4, 7 do redis.call('PEXPIRE', KEYS[n], ARGV[5]) end
    redis.call('PEXPIRE', KEYS[10], ARGV[5])
    return 'g 0-0'
  end
  for n = 4, 7 do redis.call('PERSIST', KEYS[n]) end
  redis.call('PERSIST', KEYS[10])
  if redis.call('EXISTS', KEYS[1]) == 1 then
    for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
      local info = infoOf(row)
      if info['name'] == group then at = info['last-delivered-id'] end
    end
    last = infoOf(redis.call('XINFO', 'STREAM', KEYS[1]))['last-generated-id']
  end

  local position, blind = entryIdIn(KEYS[2]), entryIdIn(KEYS[3])
  if known ~= '' and (blind or not at) and after(known, last) then
    if not ARGV[10] then return 'a ' .. last end
    known = '0-0'
    for n = 10, #ARGV do
      if #redis.call('XRANGE', KEYS[1], ARGV[n], ARGV[n]) == 1 then
        known = ARGV[n]
        break
      end
    end
  end

  if at then
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
    local since, ago = string.match(from, '^<(%d+)$'), string.match(from, '^-(%d+)$')
    if since then from = since .. '-0' end
    if ago then
      ${NOW}
      from = string.format('%.0f', math.max(0, now - ago - 1)) .. '-18446744073709551615'
    end
    if from == '0' then from = '0-0' elseif from == '$' or after(from, last) then from = last end
    redis.call('SET', KEYS[3], from, 'PX', ARGV[4])
  end
  redis.call('XGROUP', 'CREATE', KEYS[1], group, from, 'MKSTREAM')
  return 'm ' .. from
end

local ensured, lasts = ensure(), tonumber(ARGV[7])
-- The group is usable even if these cannot be written.
local letter = string.sub(ensured, 1, 1)
if ARGV[9] ~= '' and letter == 'm' then redis.pcall('PEXPIRE', KEYS[1], ARGV[9]) end
if lasts > 0 and letter ~= 'g' and letter ~= 'a' then pcall(sayingAlive(ARGV[6], lasts, ARGV[8]), KEYS[8], KEYS[9]) end
return ensured
`,
  (reply): EnsuredGroup => {
    const [letter = '', after] = parseText(reply, 'ensure-group').split(' ');
    const kind = KINDS[letter];
    if (kind === undefined || after === undefined) throw new UnexpectedReplyError('ensure-group');
    return { kind, after };
  },
);
