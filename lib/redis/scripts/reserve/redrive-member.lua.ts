/** Lua that gives the dead letter behind a redrive's member; nothing where it is an entry ID. */
export const REDRIVE_MEMBER = `
local function letterOf(member) return string.match(member, '^dead%-letter:(%d+%-%d+)$') end
`;
