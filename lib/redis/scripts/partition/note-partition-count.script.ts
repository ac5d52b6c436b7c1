import { parseText } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Records how many partitions a stream has.
 *
 * KEYS   1 how many partitions the stream has (string)
 * ARGV   1 the number
 * result `OK`
 * atomic not needed: it is one value. It is a script because a full Redis allows a removal, and then the rest of a script too.
 * twice  it writes the same again.
 */
export const notePartitionCountScript = new Script(
  `
redis.call('DEL', KEYS[1])
return redis.call('SET', KEYS[1], ARGV[1])
`,
  (reply) => parseText(reply, 'note-partition-count'),
);
