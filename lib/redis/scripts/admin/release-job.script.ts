import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Gives up the right to run a job.
 *
 * KEYS   1 the job's key (string)
 * ARGV   1 owner's token
 * result 1 where it was the owner's, else 0
 * atomic because it may expire, and be taken by another, between the look at it and the delete.
 * twice  the second time it is gone, or another's.
 */
export const releaseJobScript = new Script(
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`,
  (reply) => parseCount(reply, 'release-job'),
);
