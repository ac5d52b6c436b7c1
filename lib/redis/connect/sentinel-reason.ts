import type { Redis } from 'ioredis';
import { unknownPrimary } from './redis.messages.js';
import { errorText } from '../server/redis-errors.js';

/** What ioredis says after each round in which no sentinel helped. It asks again without coming to an end. */
const ROUND_FAILED = 'All sentinels are unreachable';
const KNOWS_NONE = / sentinel (\S+) .*(?:No such master with that name|invalid reply: null)$/;

/**
 * Listens for what each sentinel has against an answer, which ioredis tells apart from its errors.
 *
 * @returns why a round failed, where an error is about one; and the end of listening
 */
export function hearSentinels(client: Redis): {
  reasonOf(error: unknown): string | undefined;
  end(): void;
} {
  let last: string | undefined;
  const onSentinelError = (error: unknown): void => {
    const [, sentinel] = KNOWS_NONE.exec(errorText(error)) ?? [];
    last =
      sentinel === undefined
        ? errorText(error)
        : unknownPrimary(sentinel, client.options.name ?? '');
  };
  client.on('sentinelError', onSentinelError);
  return {
    reasonOf: (error) =>
      errorText(error).startsWith(ROUND_FAILED) ? (last ?? errorText(error)) : undefined,
    end: () => void client.off('sentinelError', onSentinelError),
  };
}
