import type { Redis } from 'ioredis';
import {
  findLeftRequestsScript,
  type FoundLeft,
} from '../redis/scripts/reserve/find-left-requests.script.js';
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
  async left(requests: readonly Caller[]): Promise<ReadonlySet<string>> {
    const answers = await Promise.all([...byInbox(requests)].map((each) => this.ask(each)));
    const left = new Set<string>();
    for (const answer of answers) for (const id of answer?.left ?? []) left.add(id);
    return left;
  }

  /** As {@link left}, and also those whose caller's process has died: its inbox has expired. */
  async leftOrDead(requests: readonly Caller[]): Promise<ReadonlySet<string>> {
    const inboxes = [...byInbox(requests)];
    const answers = await Promise.all(inboxes.map((each) => this.ask(each)));
    const now = performance.now();
    const missingSince = new Map<string, number>();
    const left = new Set<string>();
    inboxes.forEach(([inbox, ids], at) => {
      const answer = answers[at];
      for (const id of answer?.left ?? []) left.add(id);
      if (answer?.inboxIsThere !== false) return;
      const since = this.missingSince.get(inbox) ?? now;
      missingSince.set(inbox, since);
      if (now - since >= MISSING_MS) for (const id of ids) left.add(id);
    });
    this.missingSince = missingSince;
    return left;
  }

  private async ask([inbox, ids]: [string, readonly string[]]): Promise<FoundLeft | undefined> {
    const { replies, left } = inboxKeysOf(inbox);
    return findLeftRequestsScript
      .run(this.client, [replies, left], [...ids])
      .catch(() => undefined);
  }
}

function byInbox(requests: readonly Caller[]): Map<string, string[]> {
  const ids = new Map<string, string[]>();
  for (const { inbox, id } of requests) {
    const ofInbox = ids.get(inbox);
    if (ofInbox === undefined) ids.set(inbox, [id]);
    else ofInbox.push(id);
  }
  return ids;
}
