/**
 * Servers that read entries that anybody could have written, in every codec and mode: each becomes a message that is handled, or a
 * dead letter with its fields byte for byte. See CONTRIBUTING.md for the long form.
 */
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';

import type { SubscriptionOptions } from '../../lib/index.js';
import { decodeEnvelope, type RawFields } from '../../lib/wire/codec.js';
import { isInboxKey, streamKeys } from '../../lib/wire/stream-keys.js';
import { splitRequest } from '../../lib/wire/request-reply-fields.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';
import { anyFields, anyFieldsFor } from './any-fields.js';
import { FUZZED_CODECS } from './fuzzed-codecs.js';
import { fuzz, FUZZ_TIMEOUT_MS } from './fuzz-runs.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const MODES: Record<string, SubscriptionOptions> = {
  'by default': { startFrom: 'beginning' },
  'without a ledger': { startFrom: 'beginning', dedup: false },
  'at most once': { startFrom: 'beginning', delivery: 'at-most-once' },
  'waiting for retries': { startFrom: 'beginning', retry: { blocking: true } },
};

const anyEntries = fc.tuple(
  ...FUZZED_CODECS.map(({ needed }) =>
    fc.array(fc.oneof(anyFields, { weight: 3, arbitrary: anyFieldsFor(needed) }), {
      minLength: 3,
      maxLength: 12,
    }),
  ),
);

/** The dead letters of a stream: the fields of their entries, and why, by entry ID. */
async function lettersOf(stream: string): Promise<Map<string, Buffer[]>> {
  const { deadLetters } = streamKeys('', stream, GROUP);
  const entries = await redis.client.xrangeBuffer(deadLetters, '-', '+');
  return new Map(
    entries.map(([, fields]) => {
      const at = fields.map(String).lastIndexOf('dead-letter-reason');
      const cause = fields.slice(at).map(String);
      return [cause[cause.indexOf('dead-letter-entry-id') + 1] ?? '', fields.slice(0, at)];
    }),
  );
}

/** The message ID that a handler must get; undefined if the entry can only be a dead letter. */
function readableId(
  codec: (typeof FUZZED_CODECS)[number]['codec'],
  stream: string,
  id: string,
  fields: RawFields,
): string | undefined {
  try {
    const parts = splitRequest(fields);
    if (parts !== undefined && !isInboxKey(parts.request.inbox)) return undefined;
    return decodeEnvelope(codec, stream, parts?.own ?? fields).messageId ?? id;
  } catch {
    return undefined;
  }
}

describe.each(Object.keys(MODES))('entries of any fields, %s', (mode) => {
  it(
    'are handled or dead letters, each of them, and the next message is handled',
    async () => {
      const streams = FUZZED_CODECS.map(({ codec, needed }) => ({
        stream: freshName('any'),
        codec,
        needed,
      }));
      const handled = new Map(streams.map(({ stream }) => [stream, new Set<string>()]));
      const { monitor } = await streamsApp(
        {
          connection: redis.url,
          group: GROUP,
          blockMs: 100,
          retry: { maxAttempts: 1 },
          streams: Object.fromEntries(streams.map(({ stream, codec }) => [stream, { codec }])),
        },
        {
          controllers: streams.map(({ stream }) =>
            handlerOf(
              stream,
              (_, context) => void handled.get(stream)?.add(context.getMessageId()),
              MODES[mode],
            ),
          ),
        },
      );
      await fuzz(
        fc.asyncProperty(anyEntries, async (entries) => {
          await Promise.all(
            streams.map(async ({ stream, codec }, at) => {
              const added = await Promise.all(
                (entries[at] ?? []).map(async (fields) => ({
                  fields,
                  id: String(await redis.client.xadd(stream, '*', ...fields)),
                })),
              );
              await waitFor(() => isCaughtUp(redis.client, stream, GROUP), {
                description: `${stream} is read`,
              });
              const letters = await lettersOf(stream);
              for (const { id, fields } of added) {
                const messageId = readableId(codec, stream, id, fields);
                const letter = letters.get(id);
                if (letter !== undefined && Buffer.concat(letter).equals(Buffer.concat(fields)))
                  continue;
                if (messageId !== undefined && handled.get(stream)?.has(messageId) === true)
                  continue;
                throw new Error(`${id} of ${stream} is neither handled nor a dead letter`);
              }
              // Nothing that could be read is a dead letter.
              const wrongly = added.filter(
                ({ id, fields }) =>
                  letters.has(id) && readableId(codec, stream, id, fields) !== undefined,
              );
              expect(wrongly).toEqual([]);
            }),
          );
        }),
        { short: 6, isSlow: true },
      );
      expect(monitor.getStats().counts.lost).toBe(0);
    },
    FUZZ_TIMEOUT_MS,
  );
});
