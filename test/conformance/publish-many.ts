import type { OpenPublisher } from './broker-under-test.js';

/** The numbers from 0 to `count` - 1. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/**
 * Publishes `count` messages `{ n }`, all at once.
 *
 * @returns their message IDs, in order
 */
export async function publishMany(
  publisher: OpenPublisher,
  stream: string,
  count: number,
): Promise<string[]> {
  const receipts = await Promise.all(
    upTo(count).map((n) => publisher.publish({ stream, payload: { n } })),
  );
  return receipts.map(({ messageId }) => messageId);
}

/** The number of a message that {@link publishMany} sent. */
export const numberOf = (payload: unknown): number => (payload as { n: number }).n;
