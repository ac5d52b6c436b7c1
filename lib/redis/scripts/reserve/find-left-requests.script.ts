import { parseText } from '../../read/replies.js';
import { Script } from '../script.js';

/** Which requests of one client nobody waits for. */
export interface FoundLeft {
  /** If false, the client is gone, or its inbox was lost. */
  readonly inboxIsThere: boolean;
  readonly left: ReadonlySet<string>;
}

/**
 * Finds the requests that their callers have left.
 *
 * KEYS   1 inbox (stream), 2 requests that nobody waits for any more (SET)
 * ARGV   1 … the IDs of requests
 * result `gone` if the inbox does not exist, else `there` and, each after a space, the IDs that nobody waits for
 * atomic because a script needs no other rights than that which writes the replies.
 * twice  it only reads.
 */
export const findLeftRequestsScript = new Script(
  `
local answer = redis.call('TYPE', KEYS[1]).ok == 'stream' and 'there' or 'gone'
if redis.call('TYPE', KEYS[2]).ok ~= 'set' then return answer end
for _, id in ipairs(ARGV) do
  if redis.call('SISMEMBER', KEYS[2], id) == 1 then answer = answer .. ' ' .. id end
end
return answer
`,
  (reply): FoundLeft => {
    const [answer, ...left] = parseText(reply, 'find-left-requests').split(' ');
    return { inboxIsThere: answer === 'there', left: new Set(left) };
  },
);
