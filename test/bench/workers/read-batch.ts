import type { Redis } from 'ioredis';

import { GROUP, STREAM } from '../bench-stream.js';

/** An entry as a user of ioredis would read it. */
export interface ParsedEntry {
  readonly id: string;
  readonly messageId: string | undefined;
  readonly payload: unknown;
}

type Reply = [stream: string, entries: [id: string, fields: string[]][]][] | null;

/** `XREADGROUP` of at most 100 entries, blocked for a second if there are none, and parsed. */
export async function readBatch(client: Redis): Promise<ParsedEntry[]> {
  const reply = (await client.xreadgroup(
    'GROUP',
    GROUP,
    'bare',
    'COUNT',
    100,
    'BLOCK',
    1_000,
    'STREAMS',
    STREAM,
    '>',
  )) as Reply;
  return (reply?.[0]?.[1] ?? []).map(([id, fields]) => parse(id, fields));
}

function parse(id: string, fields: readonly string[]): ParsedEntry {
  let messageId: string | undefined;
  let body = 'null';
  for (let at = 0; at + 1 < fields.length; at += 2) {
    if (fields[at] === 'id') messageId = fields[at + 1];
    else if (fields[at] === 'body') body = fields[at + 1] ?? body;
  }
  return { id, messageId, payload: JSON.parse(body) };
}
