import { parseText } from '../../read/replies.js';
import { Script } from '../script.js';
import { FIND_PACKED, PACKED_LEDGER } from './packed-ledger.lua.js';

/**
 * Looks up when a message was processed. It changes nothing.
 *
 * KEYS   1 ledger (ZSET), 2 packed ledger (HASH)
 * ARGV   1 message ID
 * result the time in ms as text; '' if it is not in the ledger
 * atomic because the message could be packed between the looks at the two parts, and be found in neither.
 * twice  it looks again.
 */
export const processedAtScript = new Script(
  `${PACKED_LEDGER}${FIND_PACKED}
local at = redis.call('ZSCORE', KEYS[1], ARGV[1])
if at then return at end
local packed = findPacked(KEYS[2], ARGV)[1]
return packed and string.format('%.0f', packed) or ''
`,
  (reply) => {
    const at = parseText(reply, 'processed-at');
    return at === '' ? undefined : Number(at);
  },
);
