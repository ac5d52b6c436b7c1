/**
 * Lua for what is to be published later: a ZSET whose members are 16 digits, which count the calls, and a message ID, with the
 * due time as score; and a HASH message ID → row, which is the same digits and, in MessagePack, `[window ms, how many entries
 * the stream keeps or '', how long it lasts or '', then the entry's field names and values]`.
 *
 * A message waits where both say so, with the same digits: what lost one of them, by a `DEL` of somebody, waits for nothing.
 */
export const WAITING_ROW = `
local function waitingRow(delayed, messages, id)
  local row = redis.call('HGET', messages, id)
  return row and redis.call('ZSCORE', delayed, string.sub(row, 1, 16) .. id) and row
end
`;
