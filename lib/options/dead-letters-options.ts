import { z } from 'zod';
import type { Codec } from '../wire/codec.js';
import type { ConnectionOption } from './connection-option.js';
import { connection } from './connection.schema.js';
import { publishedStreams } from './options.schema.js';
import type { PublishedStreamOptions } from './stream-options.js';
import { callable, codec, count, groupName, keyPrefix, nameText, object } from './option-kinds.js';

/** Options of `DeadLetters`. */
export interface DeadLettersOptions {
  /** @default 'redis://127.0.0.1:6379' */
  connection?: ConnectionOption;
  /**
   * The group whose dead letters are meant if a call names none.
   *
   * @default none: each call names its group
   */
  group?: string;
  /**
   * Put before every stream's name in Redis.
   *
   * @default ''
   */
  keyPrefix?: string;
  /**
   * The codec that the entries were written with: the same as the group's server has. It reads payload, headers and message ID.
   *
   * @default new JsonCodec()
   */
  codec?: Codec;
  /**
   * Options of streams, by full name or by wildcard, such as `'orders.*'`. For each option the most specific key that sets
   * it applies: the stream's name, else the wildcard with the most characters that are not `*`, else the one listed first.
   * `partitions` need a full name.
   *
   * @default {}
   */
  streams?: Record<string, PublishedStreamOptions>;
}

const idError =
  "a dead letter's ID, such as '1729768245123-0', or '3:1729768245123-0' of partition 3";
const id = z.string({ error: idError }).regex(/^(\d{1,4}:)?\d{1,20}-\d{1,20}$/, { error: idError });

const place = {
  stream: nameText("a stream's name"),
  group: groupName.optional(),
};
const selection = {
  ...place,
  ids: z.array(id, { error: 'a list of IDs of dead letters' }).optional(),
  filter: callable('a function that says whether it wants a dead letter'),
};
const notBoth = (options: Record<string, unknown>): boolean =>
  options['ids'] === undefined || options['filter'] === undefined;
const either = {
  path: ['filter'],
  error: 'either ids or filter, or neither of them, which means all',
};

/** For `DeadLetters`: its own options, and what each of its calls takes. */
export const deadLettersSchemas = {
  options: object(
    {
      connection,
      group: groupName.optional(),
      keyPrefix,
      codec,
      streams: publishedStreams,
    },
    'an object with connection, group, keyPrefix, codec, streams',
  ),
  list: object(
    { ...place, limit: count(1, 1_000), before: id.optional() },
    'an object with stream, group, limit, before',
  ),
  count: object(place, 'an object with stream, group'),
  get: object({ ...place, id }, 'an object with stream, group, id'),
  redrive: object(
    {
      ...selection,
      limit: count(1),
      onProgress: callable('a function that is told how far it is'),
    },
    'an object with stream, group, ids or filter, limit, onProgress',
  ).refine(notBoth, either),
  purge: object(selection, 'an object with stream, group, ids or filter').refine(notBoth, either),
};
