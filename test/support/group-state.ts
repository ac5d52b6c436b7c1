import type { Redis } from 'ioredis';

/** What Redis reports about a group. */
export interface GroupState {
  readonly pending: number;
  readonly lastDeliveredId: string;
}

/** The state of `group`, or undefined if it does not exist. */
export async function groupState(
  client: Redis,
  stream: string,
  group: string,
): Promise<GroupState | undefined> {
  const rows = (await client.xinfo('GROUPS', stream)) as unknown[][];
  for (const row of rows) {
    const field = (name: string): unknown => row[row.indexOf(name) + 1];
    if (field('name') === group) {
      return {
        pending: Number(field('pending')),
        lastDeliveredId: String(field('last-delivered-id')),
      };
    }
  }
  return undefined;
}

/** Whether everything was delivered to the group, and nothing of it is pending. */
export async function isCaughtUp(client: Redis, stream: string, group: string): Promise<boolean> {
  const state = await groupState(client, stream, group);
  const [last] = await client.xrevrange(stream, '+', '-', 'COUNT', 1);
  return state?.pending === 0 && (last === undefined || last[0] === state.lastDeliveredId);
}

/** A pending entry: its ID, its consumer, and how often it was delivered. */
export interface PendingEntry {
  readonly id: string;
  readonly consumer: string;
  readonly deliveries: number;
}

/** The pending entries of a group, oldest first. */
export async function pendingEntries(
  client: Redis,
  stream: string,
  group: string,
): Promise<PendingEntry[]> {
  const rows = (await client.xpending(stream, group, '-', '+', 1000)) as unknown[][];
  return rows.map(([id, consumer, , deliveries]) => ({
    id: String(id),
    consumer: String(consumer),
    deliveries: Number(deliveries),
  }));
}

/** Writes entries as this package's client does, in one pipeline. */
export async function addEntries(
  client: Redis,
  stream: string,
  bodies: readonly unknown[],
  messageId?: string,
): Promise<string[]> {
  const pipeline = client.pipeline();
  for (const body of bodies) {
    const id = messageId === undefined ? [] : ['id', messageId];
    pipeline.xadd(stream, '*', 'name', stream, 'body', JSON.stringify(body), ...id);
  }
  const replies = (await pipeline.exec()) ?? [];
  return replies.map(([, id]) => String(id));
}
