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
