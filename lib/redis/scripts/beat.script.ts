import { parseList, parseText } from '../replies.js';
import { Script } from '../script.js';
import { MEMBERS } from './members.lua.js';

/** The members of a group that are there, and what they say they have. */
export interface Members {
  /** Whether the caller was one of them before. */
  readonly wasThere: boolean;
  readonly holdings: ReadonlyMap<string, readonly number[]>;
}

/**
 * Says that a member of a group is there and which partitions it has, and tells it who else is. Who was not heard of for
 * long enough is none any more.
 *
 * KEYS   1 members (ZSET), 2 holdings (HASH), 3 versions (HASH)
 * ARGV   1 consumer, 2 how long it counts as there, ms; 0 where it leaves, 3 its partitions, as a JSON list, 4 its version
 * result ['1' where it was there before, else '0', then for each member: its name, its partitions]
 * atomic because a member that is removed while it says that it is there would be missing for the others, which would try
 *        to take what it has.
 * twice  it says the same once more; the second time it was there before.
 */
export const beatScript = new Script(
  `${MEMBERS}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local consumer, lasts = ARGV[1], tonumber(ARGV[2])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))) do
  redis.call('HDEL', KEYS[2], gone)
  sayGone(KEYS[1], KEYS[3], gone)
end
local was = redis.call('ZSCORE', KEYS[1], consumer) and '1' or '0'
if lasts == 0 then
  redis.call('HDEL', KEYS[2], consumer)
  sayGone(KEYS[1], KEYS[3], consumer)
  return { was }
end
sayAlive(KEYS[1], KEYS[3], consumer, lasts, ARGV[4])
redis.call('HSET', KEYS[2], consumer, ARGV[3])
local answer = { was }
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  answer[#answer + 1] = member
  answer[#answer + 1] = redis.call('HGET', KEYS[2], member) or '[]'
end
-- Of a group that nobody is in any more nothing stays.
redis.call('PEXPIRE', KEYS[2], string.format('%.0f', lasts * 10))
return answer
`,
  (reply): Members => {
    const [was, ...rows] = parseList(reply, 'beat').map((item) => parseText(item, 'beat'));
    const holdings = new Map<string, readonly number[]>();
    for (let at = 0; at < rows.length; at += 2) {
      holdings.set(rows[at] ?? '', JSON.parse(rows[at + 1] ?? '[]') as number[]);
    }
    return { wasThere: was === '1', holdings };
  },
);
