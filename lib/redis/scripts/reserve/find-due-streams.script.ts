import { parseList, parseText } from '../../read/replies.js';
import { NOW_TEXT, Script } from '../script.js';

/** Which streams have something due, and the time by Redis's clock. */
export interface FoundDue {
  readonly nowMs: number;
  readonly due: readonly number[];
}

/**
 * Finds in which of many streams something is due. Taking it needs another script with more keys per stream, which is sent
 * only for these streams.
 *
 * KEYS   for each stream: its retries (ZSET)
 * ARGV   none
 * result [Redis's time in ms as text, the indexes of the streams in which something is due, from 0]
 * atomic not needed: it only reads. What becomes due later is found by the next call.
 * twice  it reads again.
 */
export const findDueStreamsScript = new Script(
  `
${NOW_TEXT}
local due = {}
-- Usually nothing waits anywhere, and one command shows that.
local some = #KEYS > 5000 or redis.call('EXISTS', unpack(KEYS)) > 0
for n = 1, some and #KEYS or 0 do
  if #redis.call('ZRANGEBYSCORE', KEYS[n], '-inf', now, 'LIMIT', 0, 1) > 0 then due[#due + 1] = n - 1 end
end
return { now, due }
`,
  (reply): FoundDue => {
    const [now, due] = parseList(reply, 'find-due-streams');
    return {
      nowMs: Number(parseText(now, 'find-due-streams')),
      due: parseList(due, 'find-due-streams').map(Number),
    };
  },
);
