import { parseEntries, parseList, parseText, type RawEntry } from '../../read/replies.js';
import { Script } from '../script.js';
import { ATTEMPT_MARKS } from '../reserve/attempt-marks.lua.js';

/** A page of what is pending in a partition. */
export interface ClaimedPage {
  /** Whether the caller is its owner; where not, nothing was claimed. */
  readonly isOwner: boolean;
  /** Where the next page begins; empty where this was the last. */
  readonly next: string;
  readonly entries: readonly RawEntry[];
  /** Those of them that wait for their time. */
  readonly waiting: ReadonlySet<string>;
}

/**
 * Gives the owner of a partition a page of what is pending in it, whoever had it, in the order of the entries.
 *
 * KEYS   1 owner (HASH), 2 stream, 3 retries (ZSET), 4 attempts (HASH)
 * ARGV   1 group, 2 consumer, 3 its token and epoch, 4 entry ID after which to begin, or '-', 5 how many, 6 '1' without
 *        leases: then an entry of another consumer, or one that an earlier process with this name was given, counts as a run
 *        that did not finish, unless it waits in the retries or its consumer released the partition
 * result ['1' where the caller is the owner, where the next page begins, or '', entries [id, fields], with nil for the
 *        fields of one that was deleted, the IDs of those that wait in the retries]
 * atomic because a former owner's late retry or dead letter could come between the look and the claim.
 * twice  what the first claimed is the caller's already, and is in the page again.
 */
export const claimPartitionScript = new Script(
  `${ATTEMPT_MARKS}
local row = redis.call('HMGET', KEYS[1], 'token', 'epoch', 'released-by', 'since')
if not row[1] or row[1] .. '.' .. row[2] ~= ARGV[3] then return { '0', '', {}, {} } end
local group, consumer, hereMs = ARGV[1], ARGV[2], nil
if ARGV[6] == '1' then
  local time = redis.call('TIME')
  hereMs = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(row[4] or 0)
end
local from = ARGV[4] == '-' and '-' or '(' .. ARGV[4]
local page = redis.call('XPENDING', KEYS[2], group, from, '+', ARGV[5])
local entries, waiting = {}, {}
for n = 1, #page do
  local id, holder, idle = page[n][1], page[n][2], page[n][3]
  local waits = redis.call('ZSCORE', KEYS[3], id)
  if hereMs and not waits and holder ~= row[3] and (holder ~= consumer or idle > hereMs) then
    local used, mark = attemptsOf(redis.call('HGET', KEYS[4], id))
    used, mark = cameBack(used, mark, used + 1)
    redis.call('HSET', KEYS[4], id, used .. mark)
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
