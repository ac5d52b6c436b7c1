import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Takes a stream from the list of those where messages wait, unless one was added meanwhile.
 *
 * KEYS   1 streams where messages wait (HASH)
 * ARGV   1 the stream's key, 2 what stood beside it before nothing was found to wait there
 * result 1 where it was taken
 * atomic because a publisher that writes its name beside the stream in between would be overlooked.
 * twice  the second time it is not there, or belongs to a publisher that came since, and is left alone.
 *
 * A publisher keeps its message first, and then writes a text that nobody had before; only then it says that it has it. Who
 * takes a stream from the list read the text before it looked for messages. So one that was kept after the look has another
 * text written after it: before the removal, which then fails, or after it, which lists the stream again.
 */
export const unlistDelayedScript = new Script(
  `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
`,
  (reply) => parseCount(reply, 'unlist-delayed') === 1,
);
