import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { mastersOf } from '../connect/cluster-client.js';
import { parseList, parseText } from './replies.js';

/** How many keys one step looks at. Redis serves nobody else meanwhile. */
const STEP = 1_000;

/**
 * Walks through the keys of streams that match a pattern, page by page. A key may come twice, and a stream that is created
 * meanwhile may be missed. After each page it waits as long as that took, so that Redis has time for others.
 *
 * @param match a pattern of Redis; see `keyPattern()`
 * @throws the signal's reason if it aborts first
 */
export async function* scanStreams(
  client: Redis,
  match: string,
  signal: AbortSignal = new AbortController().signal,
): AsyncGenerator<string[], void> {
  // In a cluster each master knows only its own keys.
  for (const node of mastersOf(client)) yield* scanNode(node, match, signal);
}

async function* scanNode(
  client: Redis,
  match: string,
  signal: AbortSignal,
): AsyncGenerator<string[], void> {
  const options = ['MATCH', match, 'COUNT', STEP, 'TYPE', 'stream'];
  for (let cursor = '0'; ;) {
    const since = performance.now();
    const reply = await client.callBuffer('SCAN', cursor, ...options);
    const tookMs = performance.now() - since;
    signal.throwIfAborted();
    const [next, keys] = parseList(reply, 'SCAN');
    yield parseList(keys, 'SCAN').flatMap(textOf);
    cursor = parseText(next, 'SCAN');
    if (cursor === '0') return;
    await delay(tookMs, undefined, { signal });
  }
}

/** Skips keys that are not UTF-8: no options could name such a stream. */
function textOf(key: unknown): string[] {
  const text = parseText(key, 'SCAN');
  return Buffer.isBuffer(key) && !Buffer.from(text).equals(key) ? [] : [text];
}
