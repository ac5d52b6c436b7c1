import { parseList, parseText } from '../../read/replies.js';
import { Script } from '../script.js';

/** A key that holds something else than it should. */
export interface WrongKey {
  readonly key: string;
  readonly type: string;
}

/**
 * Finds the keys of a stream that have another type than this package gave them. If the user lacks a right to one of them, Redis
 * refuses the script.
 *
 * KEYS   the keys
 * ARGV   for each key: its type, as TYPE names it, or '' if it does not matter
 * result for each wrong key: the key, its type
 * atomic not needed: it only reads.
 * twice  it reads again.
 */
export const examineStreamScript = new Script(
  `
local wrong = {}
for n, key in ipairs(KEYS) do
  local type = redis.call('TYPE', key).ok
  if type ~= 'none' and ARGV[n] ~= '' and type ~= ARGV[n] then
    wrong[#wrong + 1] = key
    wrong[#wrong + 1] = type
  end
end
return wrong
`,
  (reply): WrongKey[] => {
    const texts = parseList(reply, 'examine-stream').map((item) =>
      parseText(item, 'examine-stream'),
    );
    const wrong: WrongKey[] = [];
    for (let at = 0; at + 1 < texts.length; at += 2) {
      wrong.push({ key: texts[at] ?? '', type: texts[at + 1] ?? '' });
    }
    return wrong;
  },
);
