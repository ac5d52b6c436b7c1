import { UnexpectedReplyError } from '../../../errors/redis.errors.js';
import { parseText } from '../../read/replies.js';
import { LEFT_AT } from '../members.lua.js';
import { NOW, Script } from '../script.js';

/** `left`: the last member has left a moment ago; `dead`: all have stopped to report; `none`: nobody has reported lately. */
export type MembersState = 'alive' | 'left' | 'dead' | 'none';

const STATES: readonly string[] = ['alive', 'left', 'dead', 'none'] satisfies MembersState[];
const isState = (text: string): text is MembersState => STATES.includes(text);

/**
 * Looks whether a group has a living member.
 *
 * KEYS   1 members (ZSET), 2 versions (HASH)
 * ARGV   none
 * result alive, left, dead or none
 * atomic because a member that leaves in between would be in neither key.
 * twice  it only reads.
 */
export const membersStateScript = new Script(
  `
${NOW}
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if last[2] then return tonumber(last[2]) >= now and 'alive' or 'dead' end
return redis.call('HGET', KEYS[2], '${LEFT_AT}') and 'left' or 'none'
`,
  (reply): MembersState => {
    const state = parseText(reply, 'members-state');
    if (!isState(state)) throw new UnexpectedReplyError('members-state');
    return state;
  },
);
