import { parseEntries, parseList, parseText, type RawEntry } from '../../read/replies.js';
import { ATTEMPT_MARKS, HERE_SINCE, NOTE_COMEBACK } from '../runs.lua.js';
import { evenIfFull, Script } from '../script.js';

/** A page of the pending entries of a partition. */
export interface ClaimedPage {
  /** Whether the caller owns the partition. If not, nothing was claimed. */
  readonly isOwner: boolean;
  /** Where the next page starts. Empty after the last page. */
  readonly next: string;
  readonly entries: readonly RawEntry[];
  /** The IDs of entries that wait for their next attempt. */
  readonly waiting: ReadonlySet<string>;
}

/**
 * Gives the owner of a partition a page of its pending entries, whichever consumer they are pending for, in stream order.
 *
 * KEYS   1 owner (HASH), 2 stream, 3 retries (ZSET), 4 attempts (HASH)
 * ARGV   1 group, 2 consumer, 3 its token and epoch, with a dot between them, 4 entry ID after which to start, or '-', 5 how
 *        many, 6 '1' without leases: then an entry of another consumer, or one that a former process of this name received,
 *        counts as a run that did not finish, unless it waits in the retries or its consumer released the partition
 * result ['1' if the caller owns the partition, where the next page starts, or '', entries [id, fields], with nil fields if
 *        the entry was deleted, the IDs of those that wait in the retries]
 * atomic because a late retry or dead letter of a former owner could come between the check and the claim.
 * twice  what the first call claimed already belongs to the caller, and is in the page again.
 */
export const claimPartitionScript = new Script(
  `${ATTEMPT_MARKS}${NOTE_COMEBACK}${HERE_SINCE}
local row = redis.call('HMGET', KEYS[1], 'token', 'epoch', 'released-by', 'since')
if not row[1] or row[1] .. '.' .. row[2] ~= ARGV[3] then return { '0', '', {}, {} } end
${evenIfFull('KEYS[1]')}
local group, consumer, hereMs = ARGV[1], ARGV[2], nil
if ARGV[6] == '1' then
  local time = redis.call('TIME')
  hereMs = hereSince(row[4] or 0, time[1] * 1000 + math.floor(time[2] / 1000))
end
local from = ARGV[4] == '-' and '-' or '(' .. ARGV[4]
local page = redis.call('XPENDING', KEYS[2], group, from, '+', ARGV[5])
local entries, waiting = {}, {}
for n = 1, #page do
  local id, holder, idle = page[n][1], page[n][2], page[n][3]
  local waits = redis.call('ZSCORE', KEYS[3], id)
  if hereMs and not waits and holder ~= row[3] and (holder ~= consumer or idle > hereMs) then
    noteComeback(KEYS[4], id)
  end
  local entry = redis.call('XRANGE', KEYS[2], id, id)[1]
  if holder ~= consumer or hereMs and idle > hereMs then
    redis.call('XCLAIM', KEYS[2], group, consumer, 0, id, 'JUSTID')
  end
  if waits then waiting[#waiting + 1] = id end
  entries[n] = { id, entry and entry[2] or false }
end
return { '1', #page == tonumber(ARGV[5]) and page[#page][1] or '', entries, waiting }
`,
  (reply): ClaimedPage => {
    const [isOwner, next, entries, waiting] = parseList(reply, 'claim-partition');
    return {
      isOwner: parseText(isOwner, 'claim-partition') === '1',
      next: parseText(next, 'claim-partition'),
      entries: parseEntries(entries, 'claim-partition'),
      waiting: new Set(
        parseList(waiting, 'claim-partition').map((id) => parseText(id, 'claim-partition')),
      ),
    };
  },
);

/**
 * Lua: whether entries of a partition may start, up to the ID `highest`. The caller must own the partition, and nothing up to
 * that ID may be pending for another consumer: a late read of a former owner may have received entries that come first, and
 * these must be claimed before. Later ones need not be: there may be more of them than the caller has room for.
 */
export const PARTITION_FENCE = `
local function mayBegin(owner, stream, group, consumer, token, highest)
  local row = redis.call('HMGET', owner, 'token', 'epoch')
  if not row[1] or row[1] .. '.' .. row[2] ~= token then return false end
  local pending = redis.pcall('XPENDING', stream, group)
  for _, of in ipairs(pending[4] or {}) do
    if of[1] ~= consumer and #redis.call('XPENDING', stream, group, '-', highest, 1, of[1]) > 0 then return false end
  end
  return true
end
`;
