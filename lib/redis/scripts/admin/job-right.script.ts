import { parseCount } from '../../read/replies.js';
import { Script } from '../script.js';

/**
 * Takes the right to run a job, if nobody has it.
 *
 * KEYS   1 the job's key (string)
 * ARGV   1 owner's token, 2 how long it lasts, ms
 * result 1 if the caller owns it now, else 0
 * atomic because two members could both find it free.
 * twice  the caller owns it already, and it is extended.
 *
 * Jobs free memory, so a full Redis must not refuse them: it allows a removal, and then the rest of the script too.
 */
export const takeJobScript = new Script(
  `
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  -- It was taken when Redis's clock was ahead.
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`,
  (reply) => parseCount(reply, 'take-job') === 1,
);

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
