import { z } from 'zod';
import { connection, keyPrefix } from './connection.schema.js';
import { codec, count, groupError, nameText, object } from './schema-parts.js';
import { publishedStreams } from './streams.schema.js';

const idError =
  "a dead letter's ID, such as '1729768245123-0', or '3:1729768245123-0' of partition 3";
const id = z.string({ error: idError }).regex(/^(\d{1,4}:)?\d{1,20}-\d{1,20}$/, { error: idError });
const callable = (error: string) =>
  z.custom((value) => typeof value === 'function', { error }).optional();

const which = {
  stream: nameText("a stream's name"),
  group: nameText(groupError).optional(),
};
const some = {
  ...which,
  ids: z.array(id, { error: 'a list of IDs of dead letters' }).optional(),
  filter: callable('a function that says whether it wants a dead letter'),
};
const either = {
  error: 'either ids or filter, or neither of them, which means all',
};
const notBoth = (options: Record<string, unknown>): boolean =>
  options['ids'] === undefined || options['filter'] === undefined;

/** For `DeadLetters`: its own options, and what each of its calls takes. */
export const deadLettersSchemas = {
  options: object(
    {
      connection,
      group: nameText(groupError).optional(),
      keyPrefix,
      codec,
      streams: publishedStreams,
    },
    'an object with connection, group, keyPrefix, codec, streams',
  ),
  list: object(
    { ...which, limit: count(1, 1_000), before: id.optional() },
    'an object with stream, group, limit, before',
  ),
  count: object(which, 'an object with stream, group'),
  get: object({ ...which, id }, 'an object with stream, group, id'),
  redrive: object(
    {
      ...some,
      limit: count(1, Number.MAX_SAFE_INTEGER),
      onProgress: callable('a function that is told how far it is'),
    },
    'an object with stream, group, ids or filter, limit, onProgress',
  ).refine(notBoth, { path: ['filter'], ...either }),
  purge: object(some, 'an object with stream, group, ids or filter').refine(notBoth, {
    path: ['filter'],
    ...either,
  }),
};
