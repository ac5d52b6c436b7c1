import { firstValueFrom } from 'rxjs';
import type { Redis } from 'ioredis';

import {
  type ClientRedisStreams,
  type PublishReceipt,
  type RedisStreamsRecord,
  RedisStreamsRecordBuilder,
} from '../../lib/index.js';

/** The list of the streams that have delayed messages. */
export const LISTED = 'stream:delayed-streams';

export const LONG_MS = 60 * 60 * 1000;

/** A record that is to be published in `delayMs`. */
export function later(payload: unknown, delayMs: number, messageId?: string): RedisStreamsRecord {
  const builder = new RedisStreamsRecordBuilder(payload).setDelayMs(delayMs);
  return (messageId === undefined ? builder : builder.setMessageId(messageId)).build();
}

/** A record that is to be published at a time. */
export const at = (payload: unknown, date: Date): RedisStreamsRecord =>
  new RedisStreamsRecordBuilder(payload).setDeliverAt(date).build();

/** A record that is to be published at once. */
export const now = (payload: unknown, messageId: string): RedisStreamsRecord =>
  new RedisStreamsRecordBuilder(payload).setMessageId(messageId).build();

export const emit = (
  client: ClientRedisStreams,
  stream: string,
  data: unknown,
): Promise<PublishReceipt> => firstValueFrom(client.emit(stream, data));

/** The error of a promise that has to reject. */
export const failed = (promised: Promise<unknown>): Promise<unknown> =>
  promised.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );

/** Inspects a stream and its delayed messages. */
export function looksAt(redis: { readonly client: Redis }) {
  const entriesOf = (stream: string): Promise<[string, string[]][]> =>
    redis.client.xrange(stream, '-', '+');
  return {
    entriesOf,
    /** The `n` of each entry's body, in order. */
    numbersIn: async (stream: string): Promise<unknown[]> =>
      (await entriesOf(stream)).map(
        ([, fields]) => JSON.parse(fields[fields.indexOf('body') + 1]!).n,
      ),
    waitingIn: (stream: string): Promise<number> =>
      redis.client.zcard(`stream:{${stream}}:delayed`),
    nowMs: async (): Promise<number> => {
      const [seconds, micros] = await redis.client.time();
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    },
  };
}

/** The time in an entry ID. */
export const msOf = (entryId: string | null | undefined): number => Number(entryId?.split('-')[0]);
