import type { Redis } from 'ioredis';
import type { RequestFields } from '../wire/request-reply-fields.js';
import { inboxKeysOf } from '../wire/stream-keys.js';

/** How long an inbox has to be missing, in ms. A client whose inbox was lost, by `FLUSHALL` for example, makes it again before. */
const MISSING_MS = 30_000;

type Caller = Pick<RequestFields, 'id' | 'inbox'>;

/** Asks Redis who still waits for the replies to requests. */
export class Callers {
  /** The inboxes that were missing when they were last looked for, and since when, by `performance.now()`. */
  private missingSince: ReadonlyMap<string, number> = new Map();

  constructor(private readonly client: Redis) {}

  /** The IDs of the requests that their callers have left. A question that Redis does not answer finds none. Never rejects. */
  async left(requests: Iterable<Caller>): Promise<ReadonlySet<string>> {
    const left = new Set<string>();
    const ask = async ([inbox, ids]: [string, string[]]): Promise<void> => {
      const answers = await this.client
        .smismember(inboxKeysOf(inbox).left, ...ids)
        .catch((): number[] => []);
      ids.forEach((id, at) => answers[at] === 1 && left.add(id));
    };
    await Promise.all([...byInbox(requests)].map(ask));
    return left;
  }

  /** As {@link left}, and also those whose caller's process has died: its inbox has expired. */
  async leftOrDead(requests: readonly Caller[]): Promise<ReadonlySet<string>> {
    const inboxes = byInbox(requests);
    const [left, missing] = await Promise.all([
      this.left(requests),
      Promise.all([...inboxes.keys()].map((inbox) => this.isMissing(inbox))),
    ]);
    const now = performance.now();
    const before = this.missingSince;
    this.missingSince = new Map(
      [...inboxes.keys()]
        .filter((_, at) => missing[at])
        .map((inbox) => [inbox, before.get(inbox) ?? now]),
    );
    const dead = [...this.missingSince].filter(([, since]) => now - since >= MISSING_MS);
    return new Set([...left, ...dead.flatMap(([inbox]) => inboxes.get(inbox) ?? [])]);
  }

  private async isMissing(inbox: string): Promise<boolean> {
    const count = await this.client.exists(inbox).catch(() => undefined);
    return count === 0;
  }
}

function byInbox(requests: Iterable<Caller>): Map<string, string[]> {
  const ids = new Map<string, string[]>();
  for (const { inbox, id } of requests) {
    const ofInbox = ids.get(inbox);
    if (ofInbox === undefined) ids.set(inbox, [id]);
    else ofInbox.push(id);
  }
  return ids;
}
