/**
 * Lua: lets the rest of the script write even if Redis has reached `maxmemory`. Goes before the first write of every script
 * that settles, claims, hands over or cleans up, and never into one that publishes: what waits is handled when Redis is full,
 * and only new messages are refused.
 *
 * Redis refuses a command that may need memory only until a script has called a command that writes. One that only removes is
 * never refused, and counts even if it finds nothing to remove: no field has an empty name. The same holds for Redis 6.2, 7, 8
 * and Valkey; the flag `allow-oom` does not exist before Redis 7. It is `pcall`, since this must never fail a script.
 *
 * @param hash Lua: the key of a HASH that the script may write
 */
export const evenIfFull = (hash: string): string => `redis.pcall('HDEL', ${hash}, '')`;

/** The same for a script without a HASH. No entry has the ID 0-0. @param stream Lua: the key of a stream */
export const evenIfFullBy = (stream: string): string => `redis.pcall('XDEL', ${stream}, '0-0')`;
