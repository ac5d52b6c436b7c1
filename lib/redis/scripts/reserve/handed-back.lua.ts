/**
 * Lua that gives the score of an entry in the retries once it is handed back, so that it is due at once. It is below zero,
 * where no time is, and rises with the entry's ID: what was handed back is found apart from what failed, in stream order.
 * Entries of one millisecond have the same score; whoever needs their order sorts them.
 */
export const HANDED_BACK = `
local function handedBackScore(entry)
  return string.format('%.0f', math.min(tonumber(string.match(entry, '^%d+')), 9e14) - 1e15)
end
`;
