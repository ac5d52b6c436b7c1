import { parseCount, parseList, parseText } from '../../read/replies.js';
import { ENTRY_ORDER } from '../entry-ids.lua.js';
import { NOW, Script } from '../script.js';
import { UNFINISHED } from './trim-stream.script.js';

/** One step of a trim's preview. */
export interface TrimPreview {
  /** Entries beyond the limits, in this step. */
  readonly beyond: number;
  /** Those of them that some group has not finished, or that come after such an entry. */
  readonly unfinished: number;
  /** The entry after which the next step continues. Undefined after the last step. */
  readonly next: string | undefined;
  /** The oldest entry that some group has not finished, in the whole stream. */
  readonly held: { readonly entryId: string; readonly group: string } | undefined;
}

/**
 * Previews one step of a trim by age and by length. It changes nothing.
 *
 * KEYS   1 stream
 * ARGV   1 max age ms, or '', 2 max length, or '', 3 how many entries to look at, 4 the entry after which it continues, or
 *        '', 5 how many were beyond the limits before it, then the groups that do not hold up the trim
 * result [entries beyond the limits, how many of these are unfinished, the last one looked at or '' after the last step, the
 *        oldest unfinished entry or '', its group]
 * atomic because a group could finish or be created between the look at the groups and that at the entries.
 * twice  the same, for the stream as it is then.
 */
export const previewTrimScript = new Script(
  `${ENTRY_ORDER}${UNFINISHED}
local stream, last = KEYS[1], '18446744073709551615-18446744073709551615'
if redis.call('EXISTS', stream) == 0 then return { 0, 0, '', '', '' } end
local ignored = {}
for i = 6, #ARGV do ignored[ARGV[i]] = true end
local safe, holder = unfinishedBefore(last, stream, ignored)

${NOW}
local limit
if ARGV[1] ~= '' and now - ARGV[1] > 0 then limit = string.format('%.0f-0', now - ARGV[1]) end
local excess = ARGV[2] ~= '' and redis.call('XLEN', stream) - ARGV[2] - ARGV[5] or 0

local from = ARGV[4] == '' and '-' or '(' .. ARGV[4]
local beyond, unfinished, next = 0, 0, ''
local page = redis.call('XRANGE', stream, from, '+', 'COUNT', ARGV[3])
for n = 1, #page do
  local id = page[n][1]
  if not (limit and after(limit, id)) and n > excess then break end
  beyond = n
  if not after(safe, id) then unfinished = unfinished + 1 end
end
if beyond > 0 and beyond == tonumber(ARGV[3]) then next = page[beyond][1] end
return { beyond, unfinished, next, holder ~= '' and safe or '', holder }
`,
  (reply): TrimPreview => {
    const [beyond, unfinished, next, held, group] = parseList(reply, 'preview-trim');
    const text = (value: unknown): string | undefined =>
      parseText(value, 'preview-trim') || undefined;
    const entryId = text(held);
    return {
      beyond: parseCount(beyond, 'preview-trim'),
      unfinished: parseCount(unfinished, 'preview-trim'),
      next: text(next),
      held: entryId === undefined ? undefined : { entryId, group: text(group) ?? '' },
    };
  },
);
