import { isRedrive, compareEntryIds } from '../../wire/ids.js';
import { placesOf } from '../../wire/partitions.js';
import { streamKeys } from '../../wire/stream-keys.js';
import { groupIn, type LookingParts, together } from './looking.js';

/** What a group has not finished of a stream. */
export interface Unfinished {
  /** Its name, or that of one of its partitions. */
  readonly stream: string;
  /** Whether there is something that the group was not given yet. */
  readonly hasUnread: boolean;
  /** Given to a consumer and not settled, without what waits for its next attempt. */
  readonly pending: number;
  /** Waits for its next attempt, or to be redriven. */
  readonly retries: number;
}

/**
 * The streams of the app that are not done with. All are looked at in one moment: else a handler could publish to one that
 * was looked at before.
 */
export async function unfinished({ client, server }: LookingParts): Promise<Unfinished[]> {
  const { keyPrefix, group } = server.options;
  const streams = server
    .subscriptions()
    .flatMap(({ stream }) => placesOf(stream, server.options.partitions.get(stream)));
  const replies = await together(
    client,
    streams.flatMap((stream) => {
      const keys = streamKeys(keyPrefix, stream, group);
      return [
        ['XINFO', 'GROUPS', keys.stream],
        ['XREVRANGE', keys.stream, '+', '-', 'COUNT', '1'],
        ['ZRANGE', keys.retries, '0', '-1'],
      ];
    }),
  );
  return streams
    .map((stream, n) => {
      const [groups, last, retries] = replies.slice(n * 3, n * 3 + 3);
      const { pending = 0, lastDeliveredId = '0-0' } = groupIn(groups, group) ?? {};
      const waiting = Array.isArray(retries) ? retries.map(String) : [];
      const lastId = lastIdIn(last);
      return {
        stream,
        hasUnread: lastId !== undefined && compareEntryIds(lastId, lastDeliveredId) > 0,
        pending: pending - waiting.filter((id) => !isRedrive(id)).length,
        retries: waiting.length,
      };
    })
    .filter(({ hasUnread, pending, retries }) => hasUnread || pending + retries > 0);
}

function lastIdIn(reply: unknown): string | undefined {
  if (!Array.isArray(reply) || reply.length === 0) return undefined;
  return String((reply as unknown[][])[0]?.[0]);
}
