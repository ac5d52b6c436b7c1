import { INFO_OF, Script } from '../script.js';

/**
 * Whether a group has finished a stream: it has read all entries, none is pending for any member, and no retry or redrive waits.
 *
 * KEYS   the stream; its retries (ZSET)
 * ARGV   the group
 * result 1 if it has; 0 if not, or if it does not exist while the stream does
 * atomic an entry moves from unread to pending, and from pending to settled: between two commands it could be seen in neither.
 * twice  it reads again.
 */
export const hasFinishedScript = new Script(
  `
${INFO_OF}
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if redis.call('EXISTS', KEYS[1]) == 0 then return 1 end
for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = infoOf(row)
  if group.name == ARGV[1] then
    if group.pending > 0 then return 0 end
    local unread = redis.pcall('XRANGE', KEYS[1], '(' .. group['last-delivered-id'], '+', 'COUNT', 1)
    -- No entry comes after the highest possible ID, and Redis refuses to look for one.
    return (unread.err or #unread == 0) and 1 or 0
  end
end
return 0
`,
  (reply): boolean => Number(reply) === 1,
);
