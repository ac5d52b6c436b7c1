import type { OpenPublisher } from './broker-under-test.js';

/** The numbers from 0 to `count` - 1. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** How {@link publishMany} differs from its defaults. */
interface PublishManyOptions {
  /** @default 0 */
  readonly from?: number;
  /** @default new ones */
  readonly messageIdOf?: (n: number) => string;
  /** Over how many keys the messages are spread, in turn. @default none */
  readonly keys?: number;
}

/**
 * Publishes `count` messages `{ n }`, all at once.
 *
 * @returns their message IDs, in order
 */
export async function publishMany(
  publisher: OpenPublisher,
  stream: string,
  count: number,
  { from = 0, messageIdOf, keys }: PublishManyOptions = {},
): Promise<string[]> {
  const receipts = await Promise.all(
    upTo(count)
      .map((n) => from + n)
      .map((n) =>
        publisher.publish({
          stream,
          payload: { n },
          ...(messageIdOf === undefined ? {} : { messageId: messageIdOf(n) }),
          key: keys === undefined ? undefined : `key ${n % keys}`,
        }),
      ),
  );
  return receipts.map(({ messageId }) => messageId);
}

/** The number of a message that {@link publishMany} sent. */
export const numberOf = (payload: unknown): number => (payload as { n: number }).n;
