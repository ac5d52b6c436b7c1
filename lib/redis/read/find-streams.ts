import type { Redis } from 'ioredis';
import { mastersOf } from '../connect/cluster-client.js';
import { parseList, parseText } from './replies.js';

/** How many keys Redis looks at in one step: it serves nobody else meanwhile. */
const STEP = 1_000;

/**
 * The keys of streams that begin with `prefix`, page by page, as `SCAN` finds them: a key may come twice, and one that is made
 * meanwhile may not come at all.
 */
export async function* findStreams(client: Redis, prefix: string): AsyncGenerator<string[]> {
  // What a prefix may hold and SCAN would take for a pattern.
  const pattern = `${prefix.replace(/[\\*?[\]^-]/g, '\\$&')}*`;
  for (const node of mastersOf(client)) yield* findOn(node, pattern);
}

async function* findOn(client: Redis, pattern: string): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const reply = await client.call(
      'SCAN',
      cursor,
      'MATCH',
      pattern,
      'COUNT',
      STEP,
      'TYPE',
      'stream',
    );
    const [next, keys] = parseList(reply, 'SCAN');
    cursor = parseText(next, 'SCAN');
    yield parseList(keys, 'SCAN').map((key) => parseText(key, 'SCAN'));
  } while (cursor !== '0');
}
