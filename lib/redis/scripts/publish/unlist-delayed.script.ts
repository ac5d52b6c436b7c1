import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Removes a stream from the list of streams with delayed messages, unless one was added meanwhile.
 *
 * KEYS   1 streams with delayed messages (HASH)
 * ARGV   1 the stream's key, 2 the text that its row had before no waiting message was found
 * result 1 if it was removed
 * atomic because a publisher could write the stream's row between the check and the removal, and its message would be
 *        overlooked.
 * twice  the second time it is not in the list, or a publisher has added it since and it stays.
 *
 * A publisher stores its message first, then writes a new text into the stream's row, and only then confirms. Whoever removes a
 * stream has read the text before looking for messages. So a message that is stored after that look changes the text later:
 * either before the removal, which then fails, or after it, which puts the stream on the list again.
 */
export const unlistDelayedScript = new Script(
  `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
`,
  (reply) => parseCount(reply, 'unlist-delayed') === 1,
);
