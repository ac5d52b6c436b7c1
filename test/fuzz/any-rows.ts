import * as fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import type { Redis } from 'ioredis';

/** The types that Redis has, and that this package uses. */
export type RedisType = 'string' | 'hash' | 'zset' | 'set' | 'list' | 'stream';

/** What is written into a key that this package keeps for itself. */
export interface Junk {
  readonly type: RedisType;
  /** Fields and values, members and scores, or values. */
  readonly rows: readonly (readonly [string | Buffer, string | Buffer])[];
}

const HUGE = '9'.repeat(30);
const TEXTS =
  '0 -1 1 x nan inf -inf 1e400 0.5 9223372036854775807 1-1 0-0 18446744073709551615-18446744073709551615 1- - 1-1-1 ' +
  'dead-letter:1-1 dead-letter: {} [] [1,2] [0] {"a":[ entries buckets consumer token epoch ends-at since released-by \n \0';
const anyText: Arbitrary<string | Buffer> = fc.oneof(
  fc.constantFrom(...TEXTS.split(' '), '', HUGE, `-${HUGE}`, 'a b c d', `t ${HUGE} 1 1`),
  fc.constantFrom('['.repeat(5_000), 'x'.repeat(70_000)),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
);
const anyScore = fc.oneof(
  fc.constantFrom('0', '-0', '-5', 'inf', '-inf', '1e300', '9007199254740993', '0.5', HUGE),
  fc.integer().map(String),
);

/** Rows of the right type that nobody would write, or another type. */
export const anyJunk = (type: RedisType): Arbitrary<Junk> => {
  const of = (which: RedisType): Arbitrary<Junk> =>
    fc
      .array(fc.tuple(anyText, which === 'zset' ? anyScore : anyText), {
        minLength: 1,
        maxLength: 6,
      })
      .map((rows) => ({ type: which, rows }));
  const others = (['string', 'hash', 'zset', 'set', 'list', 'stream'] as const).filter(
    (each) => each !== type,
  );
  return fc.oneof({ weight: 3, arbitrary: of(type) }, ...others.map(of));
};

/** Writes junk into a key; a key of another type is replaced. */
export async function writeJunk(client: Redis, key: string, junk: Junk): Promise<void> {
  for (;;) {
    try {
      return await write(client, key, junk);
    } catch (error) {
      if (!String(error).includes('WRONGTYPE')) throw error;
      await client.del(key);
    }
  }
}

async function write(client: Redis, key: string, { type, rows }: Junk): Promise<void> {
  const [[first, second] = ['', '']] = rows;
  const calls: Record<RedisType, () => Promise<unknown>> = {
    string: async () => {
      // SET replaces a key of any type.
      await client.set(key, second);
    },
    hash: () => client.hset(key, ...rows.flat()),
    zset: () => client.zadd(key, ...rows.flatMap(([member, score]) => [String(score), member])),
    set: () => client.sadd(key, ...rows.map(([member]) => member)),
    list: () => client.rpush(key, ...rows.map(([value]) => value)),
    stream: () => client.xadd(key, '*', first, second),
  };
  await calls[type]();
}
