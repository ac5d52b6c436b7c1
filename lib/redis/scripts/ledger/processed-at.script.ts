import { parseList, parseText } from '../../read/replies.js';
import { Script } from '../script.js';
import { FIND_PACKED, PACKED_LEDGER } from './packed-ledger.lua.js';

/**
 * Looks up when messages were processed. It changes nothing.
 *
 * KEYS   1 ledger (ZSET), 2 packed ledger (HASH)
 * ARGV   the message IDs
 * result for each the time in ms as text, or '' if it is not in the ledger
 * atomic because a message could be packed between the looks at the two parts, and be found in neither.
 * twice  it looks again.
 */
export const processedAtScript = new Script(
  `${PACKED_LEDGER}${FIND_PACKED}
local times, packed = redis.call('ZMSCORE', KEYS[1], unpack(ARGV)), findPacked(KEYS[2], ARGV)
for n = 1, #ARGV do
  times[n] = times[n] or packed[n] and string.format('%.0f', packed[n]) or ''
end
return times
`,
  (reply) =>
    parseList(reply, 'processed-at').map((time) => {
      const at = parseText(time, 'processed-at');
      return at === '' ? undefined : Number(at);
    }),
);
