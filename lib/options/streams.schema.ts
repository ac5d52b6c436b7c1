import { z } from 'zod';
import { isWildcard } from '../wire/wildcard.js';
import { MOST_PARTITIONS } from './defaults.js';
import {
  codec,
  count,
  isStreamName,
  nameText,
  object,
  payloadSchema,
  windowMs,
} from './schema-parts.js';

const retention = object(
  {
    maxAgeMs: windowMs,
    maxLength: count(1, Number.MAX_SAFE_INTEGER),
    ignoreGroups: z
      .array(nameText("a group's name"), { error: 'a list of group names' })
      .optional(),
    force: z.boolean({ error: 'true or false' }).optional(),
  },
  'an object with maxAgeMs, maxLength, ignoreGroups, force',
)
  .refine((value) => value['maxAgeMs'] !== undefined || value['maxLength'] !== undefined, {
    error: 'maxAgeMs, maxLength, or both',
  })
  .refine((value) => value['force'] !== true || value['ignoreGroups'] === undefined, {
    error: 'either force: true, which ignores all groups, or ignoreGroups',
  });

const limitsAreForced = ({ maxLength, ttlMs, force }: Record<string, unknown>): boolean =>
  force === true || (maxLength === undefined && ttlMs === undefined);
const forceIsForLimits = ({ maxLength, ttlMs, force }: Record<string, unknown>): boolean =>
  force !== true || maxLength !== undefined || ttlMs !== undefined;
const UNTAGGED = 'only for a stream without a hash tag: each partition has one of its own';
const WILDCARD = "a stream's full name: what a wildcard means is not set for all of it here";
const byStream = (shape: z.ZodRawShape) =>
  z
    .record(
      z.string().refine(isStreamName),
      object(shape, `an object with ${Object.keys(shape).join(', ')}`)
        .refine(limitsAreForced, {
          path: ['force'],
          error: 'true, since maxLength and ttlMs drop what was not read; retention does not',
        })
        .refine(forceIsForLimits, {
          path: ['force'],
          error: 'only with maxLength or ttlMs; a retention has a force of its own',
        }),
      {
        error: ({ code }) =>
          code === 'invalid_key'
            ? 'a stream name, with braces only as a hash tag'
            : 'an object: stream name → options',
      },
    )
    .superRefine((named, context) => {
      for (const [stream, { partitions }] of Object.entries(named)) {
        if (partitions === undefined || !stream.includes('{')) continue;
        context.addIssue({ code: 'custom', path: [stream, 'partitions'], message: UNTAGGED });
      }
    })
    .optional();
const publishedStream = {
  maxLength: count(1, Number.MAX_SAFE_INTEGER),
  ttlMs: windowMs,
  force: z.boolean({ error: 'true or false' }).optional(),
  codec,
  schema: payloadSchema,
  partitions: count(1, MOST_PARTITIONS),
};
/** The `streams` of whoever consumes. Its handlers take `*` for a wildcard. */
export const streams = byStream({ retention: retention.optional(), ...publishedStream })
  .unwrap()
  .superRefine((named, context) => {
    for (const stream of Object.keys(named).filter(isWildcard)) {
      context.addIssue({ code: 'custom', path: [stream], message: WILDCARD });
    }
  })
  .optional();
/** The `streams` of whoever publishes only. */
export const publishedStreams = byStream(publishedStream);
