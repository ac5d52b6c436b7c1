import { parseText } from '../../read/replies.js';
import { evenIfFullBy, Script } from '../script.js';

/** The result for a batch of replies. */
export interface Replied {
  /** If false, the client is gone, and nothing was written. */
  readonly inboxIsThere: boolean;
  /** The requests of this batch that nobody waits for any more. */
  readonly left: ReadonlySet<string>;
}

/**
 * Writes replies to a client's inbox.
 *
 * KEYS   1 inbox (stream), 2 requests that nobody waits for any more (SET)
 * ARGV   for each reply: its request's ID, how many field names and values it has, and these
 * result `gone` if the inbox does not exist, else `there` and, each after a space, the IDs of the requests that nobody waits
 *        for
 * atomic because an inbox that expires between the check and the write would be created again and stay for ever.
 * twice  the replies are there twice, with the same numbers: the client accepts each number once.
 *
 * Only the client keeps its inbox alive: a reply does not extend its expiry.
 */
export const replyScript = new Script(
  `
if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then return 'gone' end
${evenIfFullBy('KEYS[1]')}
local at, answer, seen = 1, 'there', {}
local some = redis.call('EXISTS', KEYS[2]) == 1
while at < #ARGV do
  local id, fields = ARGV[at], tonumber(ARGV[at + 1])
  redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 2, at + 1 + fields))
  if some and not seen[id] then
    seen[id] = true
    if redis.call('SISMEMBER', KEYS[2], id) == 1 then answer = answer .. ' ' .. id end
  end
  at = at + 2 + fields
end
return answer
`,
  (reply): Replied => {
    const [answer, ...left] = parseText(reply, 'reply').split(' ');
    return { inboxIsThere: answer === 'there', left: new Set(left) };
  },
);
