import { parseCount, parseList, parseText } from '../../read/replies.js';
import { MEMBERS } from '../members.lua.js';
import { NOW, Script } from '../script.js';

/** A member of a group, as it reports itself. */
export interface Member {
  readonly consumer: string;
  /** Whether its last report still counts. */
  readonly isAlive: boolean;
  /** The version of this package that it runs. Undefined if it does not report one. */
  readonly version: string | undefined;
}

/**
 * Reads the members of a group, and which of them are alive.
 *
 * KEYS   1 members (ZSET), 2 versions (HASH)
 * ARGV   none
 * result for each member: its name, '1' if it is alive, else '0', its version or ''
 * atomic because a row that is removed meanwhile would be judged by an older clock.
 * twice  it only reads.
 */
export const readMembersScript = new Script(
  `
${NOW}
local rows = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '+inf', 'WITHSCORES')
local answer = {}
for n = 1, #rows, 2 do
  answer[#answer + 1] = rows[n]
  answer[#answer + 1] = tonumber(rows[n + 1]) >= now and '1' or '0'
  answer[#answer + 1] = redis.call('HGET', KEYS[2], rows[n]) or ''
end
return answer
`,
  (reply): Member[] => {
    const texts = parseList(reply, 'read-members').map((item) => parseText(item, 'read-members'));
    const members: Member[] = [];
    for (let at = 0; at < texts.length; at += 3) {
      const [consumer = '', alive, version = ''] = texts.slice(at, at + 3);
      members.push({
        consumer,
        isAlive: alive === '1',
        version: version === '' ? undefined : version,
      });
    }
    return members;
  },
);

/**
 * Removes from the record of living members a consumer that stays in its group: its name is used again at the next start.
 *
 * KEYS   1 members (ZSET), 2 versions (HASH), 3 the last member has left (string)
 * ARGV   1 consumer
 * result 1
 * atomic because the two parts of a member's row belong together.
 * twice  the second time it is gone already.
 */
export const leaveMembersScript = new Script(
  `${MEMBERS}
sayLeft(KEYS[1], KEYS[2], KEYS[3], ARGV[1])
return 1
`,
  (reply) => parseCount(reply, 'leave-members'),
);
