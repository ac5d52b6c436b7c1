import { isInteger, parse, stringify } from 'lossless-json';
import type { JsonFormat } from './payload-form.js';

/**
 * JSON in which integers beyond 2⁵³ stay exact: they are read as `bigint`, and `bigint` is written as a number. All other
 * numbers are numbers, as with `JSON.parse`. It needs the package `lossless-json`, and is slower than JSON of V8.
 *
 * @example
 * ```ts
 * import { losslessJson } from 'nestjs-redis-streams/lossless-json';
 *
 * RedisStreamsModule.forRoot({ group: 'billing', codec: new JsonCodec({ json: losslessJson }) });
 * ```
 */
export const losslessJson: JsonFormat = {
  // Of a name that occurs twice, the last value counts, as with `JSON.parse`.
  parse: (text) =>
    parse(text, undefined, {
      parseNumber: numberOf,
      onDuplicateKey: ({ newValue }) => newValue,
    }),
  stringify: (value) => stringify(value),
};

function numberOf(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) || !isInteger(text) ? number : BigInt(text);
}
