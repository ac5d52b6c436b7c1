import { REDRIVE_PREFIX } from '../../wire/ids.js';

/**
 * Lua: `after(a, b)` orders entry IDs as Redis does. Their numbers have up to 64 bits, more than a Lua number can hold. Text that is
 * no entry ID comes before all of them.
 */
export const ENTRY_ORDER = `
local function after(a, b)
  local aMs, aSeq = string.match(a, '^(%d+)-(%d+)$')
  local bMs, bSeq = string.match(b, '^(%d+)-(%d+)$')
  if not aMs or not bMs then return aMs ~= nil end
  if #aMs ~= #bMs then return #aMs > #bMs end
  if aMs ~= bMs then return aMs > bMs end
  if #aSeq ~= #bSeq then return #aSeq > #bSeq end
  return aSeq > bSeq
end
`;

/**
 * Lua: `notePosition` records the last settled entry of a group; never call it for a redrive. Something else in that key is
 * replaced. Includes {@link ENTRY_ORDER}.
 */
export const NOTE_POSITION = `${ENTRY_ORDER}
local function notePosition(key, entry)
  local position = redis.pcall('GET', key)
  if type(position) ~= 'string' or after(entry, position) then redis.call('SET', key, entry) end
end
`;

/** Lua: `entryIdIn` returns the entry ID that a key holds, or nil if it holds none, or something else. */
export const ENTRY_ID_IN = `
local function entryIdIn(key)
  local id = redis.pcall('GET', key)
  return type(id) == 'string' and string.match(id, '^%d+%-%d+$')
end
`;

/**
 * Lua: the score in `retries` of an entry that was handed back. It is negative, so that the entry is due at once and can be
 * told from one that failed, and it rises with the entry ID, so that entries come in stream order. Entries of the same
 * millisecond have the same score; a caller that needs their order sorts them.
 */
export const HANDED_BACK = `
local function handedBackScore(entry)
  return string.format('%.0f', math.min(tonumber(string.match(entry, '^%d+')), 9e14) - 1e15)
end
`;

/** Lua: the dead letter ID in the ID of a redrive, or nil for an entry ID. */
export const LETTER_OF = `
local function letterOf(id) return string.match(id, '^${REDRIVE_PREFIX.replaceAll('-', '%-')}(%d+%-%d+)$') end
`;

/** Lua: the ID of the redrive of a dead letter. */
export const REDRIVE_OF = `
local function redriveOf(letter) return '${REDRIVE_PREFIX}' .. letter end
`;
