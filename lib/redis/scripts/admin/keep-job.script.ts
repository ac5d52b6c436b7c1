import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Keeps the right to run a job for longer.
 *
 * KEYS   1 the job's key (string)
 * ARGV   1 owner's token, 2 for how long, ms
 * result 1 where it is the owner's, else 0
 * atomic because it may expire, and be taken by another, between the look at it and the new time.
 * twice  it is kept as long again.
 */
export const keepJobScript = new Script(
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`,
  (reply) => parseCount(reply, 'keep-job'),
);
