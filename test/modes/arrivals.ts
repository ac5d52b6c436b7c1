import { firstValueFrom } from 'rxjs';

import {
  type ClientRedisStreams,
  type DeadLetters,
  RedisStreamsRecordBuilder,
  type RedisStreamsRecord,
} from '../../lib/index.js';
import type { Body } from './payload.js';
import type { GroupInRedis } from './group-in-redis.js';

/** The stream to publish to, and how to inspect it. */
export interface PublishedTo {
  readonly stream: string;
  readonly group: string;
  readonly partitions: number | undefined;
  readonly inRedis: GroupInRedis;
  readonly client: ClientRedisStreams;
  readonly deadLetters: DeadLetters;
  /** The results of requests. */
  readonly replies: Map<number, unknown>;
  until(description: string, condition: () => unknown): Promise<unknown>;
}

/** A route by which messages reach their handler. */
export interface Arrival {
  /** Whether they are handled in the order of publishing. */
  readonly keepsOrder: boolean;
  /** Whether the publisher gets an answer. */
  readonly replies: boolean;
  /** Whether messages keep waiting in place until their handler starts, even if they are recorded first. */
  readonly waitsUntilRun: boolean;
  /** Resolves once Redis has all of them. */
  publish(to: PublishedTo, bodies: readonly Body[]): Promise<void>;
  /** Deletes a waiting message. */
  remove(to: PublishedTo, n: number): Promise<void>;
}

const record = (to: PublishedTo, body: Body, delayMs?: number): RedisStreamsRecord => {
  const builder = new RedisStreamsRecordBuilder(body).setMessageId(to.inRedis.messageId(body.n));
  if (to.inRedis.carriesKey || to.partitions !== undefined) builder.setKey(body.key);
  if (delayMs !== undefined) builder.setDelayMs(delayMs);
  return builder.build();
};

const emitAll =
  (delayMs?: number): Arrival['publish'] =>
  async (to, all) => {
    const records = all.map((body) => record(to, body, delayMs));
    await firstValueFrom(to.client.emitBatch(to.stream, records));
  };

/** Deletes the entry, once it exists. */
async function removeEntry(to: PublishedTo, n: number): Promise<void> {
  await to.until(`entry ${n}`, async () => {
    const entry = (await to.inRedis.entries()).find((each) => each.n === n);
    return entry !== undefined && (await to.inRedis.redis.xdel(entry.key, entry.id)) === 1;
  });
}

/** Published, and read. */
export const emitted: Arrival = {
  keepsOrder: true,
  replies: false,
  waitsUntilRun: false,
  publish: emitAll(),
  remove: removeEntry,
};

/** Published when they are due. */
export const delayed: Arrival = { ...emitted, publish: emitAll(150) };

/** Requests may be sent before the first member starts: they would fail at once if nobody read the stream. */
async function haveAnotherReader({ inRedis }: PublishedTo): Promise<void> {
  const { redis, places } = inRedis;
  for (const place of places) {
    const { stream } = inRedis.keysOf(place);
    await redis.xgroup('CREATE', stream, 'another', '$', 'MKSTREAM').catch(() => undefined);
    await redis.xgroup('CREATECONSUMER', stream, 'another', 'worker');
  }
}

/** Sent by a client that waits for the reply. */
export const requested: Arrival = {
  ...emitted,
  replies: true,
  publish: async (to, all) => {
    await haveAnotherReader(to);
    for (const body of all) {
      to.client.send(to.stream, record(to, body)).subscribe({
        next: (value) => void to.replies.set(body.n, value),
        error: (error: unknown) => void to.replies.set(body.n, { error }),
        // A handler that returns no value is an answer too.
        complete: () => to.replies.has(body.n) || to.replies.set(body.n, undefined),
      });
    }
    // What is sent on this connection afterwards comes after them.
    await (await to.client.connect()).ping();
  },
};

/** Dead-lettered before, and redriven by `DeadLetters`. Their entries are gone. */
export const redriven: Arrival = {
  keepsOrder: false,
  replies: false,
  waitsUntilRun: true,
  publish: async (to, all) => {
    const { stream, group, partitions, inRedis } = to;
    const ids: string[] = [];
    await inRedis.makeStreams();
    for (const body of all) {
      const place = inRedis.placeOf(body.key);
      const why = [
        'dead-letter-reason',
        'failed before',
        'dead-letter-entry-id',
        `7-${body.n + 1}`,
      ];
      const where = ['dead-letter-stream', place, 'dead-letter-group', group];
      const fields = [...inRedis.encoded(body), ...why, ...where];
      const id = await inRedis.redis.xadd(inRedis.keysOf(place).deadLetters, '*', ...fields);
      const partition = inRedis.places.indexOf(place);
      ids.push(partitions === undefined ? String(id) : `${partition}:${id}`);
    }
    await to.deadLetters.redrive({ stream, ids });
  },
  remove: async ({ deadLetters, stream }, n) => {
    const letters = await deadLetters.list({ stream, limit: 1_000 });
    const ids = letters.filter(({ payload }) => (payload as Body).n === n).map(({ id }) => id);
    await deadLetters.purge({ stream, ids });
  },
};
