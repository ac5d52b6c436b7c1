/** Lua that orders entry IDs as Redis does: by number, of up to 64 bits each, which Lua's numbers cannot hold. */
export const ENTRY_ORDER = `
local function after(a, b)
  local aMs, aSeq = string.match(a, '^(%d+)-(%d+)$')
  local bMs, bSeq = string.match(b, '^(%d+)-(%d+)$')
  if #aMs ~= #bMs then return #aMs > #bMs end
  if aMs ~= bMs then return aMs > bMs end
  if #aSeq ~= #bSeq then return #aSeq > #bSeq end
  return aSeq > bSeq
end
`;
