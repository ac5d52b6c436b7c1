import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Extends the right to run a job.
 *
 * KEYS   1 the job's key (string)
 * ARGV   1 owner's token, 2 how long it lasts from now, ms
 * result 1 if the caller owns it, else 0
 * atomic because it may expire, and another member may take it, between the check and the extension.
 * twice  it is extended again.
 */
export const keepJobScript = new Script(
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`,
  (reply) => parseCount(reply, 'keep-job'),
);

/**
 * Gives up the right to run a job.
 *
 * KEYS   1 the job's key (string)
 * ARGV   1 owner's token
 * result 1 if the caller owned it, else 0
 * atomic because it may expire, and another member may take it, between the check and the removal.
 * twice  the second time it is gone, or belongs to another member.
 */
export const releaseJobScript = new Script(
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`,
  (reply) => parseCount(reply, 'release-job'),
);
