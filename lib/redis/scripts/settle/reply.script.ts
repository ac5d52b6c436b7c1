import { parseText } from '../../read/replies.js';
import { Script } from '../script.js';

/** What became of a batch of replies. */
export interface Replied {
  /** Whether the inbox is there. Where it is not, its client is gone, and nothing was written. */
  readonly inboxIsThere: boolean;
  /** The requests of this batch that nobody waits for any longer. */
  readonly left: ReadonlySet<string>;
}

/**
 * Writes replies to a client's inbox.
 *
 * KEYS   1 inbox (stream), 2 requests that nobody waits for any longer (SET)
 * ARGV   for each reply: its request's ID, the number of its field names and values, and these
 * result `gone` where there is no such inbox, else `there` and the IDs of the requests that nobody waits for, each after a
 *        space
 * atomic because an inbox that expires between a look and the write would be made again, and stay for ever.
 * twice  the replies are there twice, with the same numbers: the client takes each once.
 *
 * The inbox lasts as long as its client sees to that: a reply does not make it last longer.
 */
export const replyScript = new Script(
  `
if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then return 'gone' end
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
