import { parseList, parseText } from '../../read/replies.js';
import { MEMBERS } from '../members.lua.js';
import { evenIfFull, NOW, Script } from '../script.js';

/** The living members of a group, and the partitions that they report. */
export interface Members {
  /** Whether the caller was one of them before. */
  readonly wasThere: boolean;
  readonly holdings: ReadonlyMap<string, readonly number[]>;
}

/**
 * Announces a member of a group and the partitions that it owns, and tells it who else is alive. Members that have not been
 * heard of for too long are removed.
 *
 * KEYS   1 members (ZSET), 2 holdings (HASH), 3 versions (HASH), 4 how many partitions the stream has (string),
 *        5 the last member has left (string)
 * ARGV   1 consumer, 2 how long it counts as alive, ms; 0 if it leaves, 3 its partitions, as a JSON list, 4 its version, 5 how
 *        many partitions it expects
 * result ['1' if it was listed before, else '0', then for each member: its name, its partitions]
 * atomic because a member that is removed while it announces itself would be missing for the others, which would try to take
 *        its partitions.
 * twice  it announces the same again; the second time it was listed before.
 *
 * The number of partitions is written if it is missing: FLUSHALL removes it, and publishers compare it with their own.
 */
export const announceMemberScript = new Script(
  `${MEMBERS}
${NOW}
${evenIfFull('KEYS[2]')}
local consumer, lasts = ARGV[1], tonumber(ARGV[2])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))) do
  redis.call('HDEL', KEYS[2], gone)
  sayGone(KEYS[1], KEYS[3], gone)
end
local was = redis.call('ZSCORE', KEYS[1], consumer) and '1' or '0'
if lasts == 0 then
  redis.call('HDEL', KEYS[2], consumer)
  sayLeft(KEYS[1], KEYS[3], KEYS[5], consumer)
  return { was }
end
redis.call('SET', KEYS[4], ARGV[5], 'NX')
sayingAlive(consumer, lasts, ARGV[4])(KEYS[1], KEYS[3])
redis.call('HSET', KEYS[2], consumer, ARGV[3])
local answer = { was }
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  answer[#answer + 1] = member
  answer[#answer + 1] = redis.call('HGET', KEYS[2], member) or '[]'
end
-- Everything expires if the group has no members any more.
redis.call('PEXPIRE', KEYS[2], string.format('%.0f', lasts * 10))
return answer
`,
  (reply): Members => {
    const [was, ...rows] = parseList(reply, 'announce-member').map((item) =>
      parseText(item, 'announce-member'),
    );
    const holdings = new Map<string, readonly number[]>();
    for (let at = 0; at < rows.length; at += 2) {
      holdings.set(rows[at] ?? '', partitionsIn(rows[at + 1] ?? ''));
    }
    return { wasThere: was === '1', holdings };
  },
);

/** The partitions that a member has announced; none if its row is no list of numbers. */
function partitionsIn(row: string): number[] {
  try {
    const list: unknown = JSON.parse(row);
    return Array.isArray(list) ? list.filter((item) => Number.isSafeInteger(item)) : [];
  } catch {
    return [];
  }
}
