import { JsonCodec } from '../../lib/wire/json.codec.js';
import type { Redis } from 'ioredis';
import { modesFor } from '../../lib/consume/delivery/deliveries-for.js';
import { DeliveryScripts } from '../../lib/consume/delivery/delivery-scripts.js';
import type { DeliveryMode } from '../../lib/consume/delivery/mode.js';
import type { Message } from '../../lib/consume/message.js';
import { deadLetterParts } from '../../lib/wire/dead-letter-fields.js';
import { isRedrive, type EntryId, type Holder } from '../../lib/wire/ids.js';
import type { RawEntry } from '../../lib/redis/read/replies.js';
import type { ResolvedSubscription } from '../../lib/options/resolved-options.js';
import type { StreamKeys } from '../../lib/wire/stream-keys.js';
import { aMessage } from '../support/a-message.js';
import { scriptsOf } from '../../lib/redis/scripts/script.js';
import type { Call } from './call.js';
import type { Who } from './model.js';
import { LONG_MS } from './state.js';

/** A message that a consumer believes to own; another may have it meanwhile. */
export interface InHand {
  readonly message: Message;
  reserved: boolean;
  started: boolean;
}

/** A call that settled messages, to be sent again late. */
interface Sent {
  readonly call: Omit<Call<unknown>, 'essence'>;
  readonly entryIds: readonly string[];
}

/** The group of the member. */
interface Where {
  readonly client: Redis;
  readonly keys: StreamKeys;
  readonly options: ResolvedSubscription;
  readonly name: string;
}

const codec = new JsonCodec();

/** A consumer of the group: its messages, and its calls as the library makes them. */
export class Member implements Who {
  readonly hand = new Map<string, InHand>();
  /** All messages that its process has had: calls about them may still be sent again. */
  readonly had = new Set<Message>();
  sent: Sent[] = [];
  private starts = 1;
  /** Of this process: its calls are numbered. */
  private calls: ReturnType<typeof modesFor> | undefined;

  constructor(
    readonly name: string,
    private readonly group: Where,
  ) {}

  /** A new one for each process with its name. */
  get token(): string {
    return `${this.name}${this.starts}`;
  }

  /** How the library claims and settles a message. */
  modeOf({ isRedrive: isOne }: Pick<Message, 'isRedrive'>): DeliveryMode {
    return isOne ? this.modes.redrives : this.modes.entries;
  }

  /** Its process dies, and another one with its name starts. */
  restart(): void {
    this.hand.clear();
    this.had.clear();
    this.sent = [];
    this.starts++;
    this.calls = undefined;
  }

  accept(entries: readonly RawEntry[]): void {
    for (const { id, fields } of entries) {
      if (this.hand.has(id)) continue;
      // It is sent again before its consumer does anything new.
      this.sent = this.sent.filter(({ entryIds }) => !entryIds.includes(id));
      const message = asMessage(id, fields ?? []);
      this.had.add(message);
      this.hand.set(id, { message, reserved: false, started: false });
    }
  }

  private get modes() {
    const { client, keys, name: group, options } = this.group;
    const { name: consumer, token } = this;
    const holder = token as Holder;
    const place = { stream: 'stream', keys, group, consumer, holder, leaseMs: LONG_MS };
    return (this.calls ??= modesFor(new DeliveryScripts(scriptsOf(client), place), options));
  }
}

function asMessage(id: string, read: readonly Buffer[]): Message {
  const redriven = isRedrive(id) ? deadLetterParts(read) : undefined;
  const fields = redriven?.fields ?? read;
  const envelope = codec.decode(fields);
  return aMessage(id, envelope.messageId ?? id, {
    entryId: (redriven?.cause.get('entry-id') ?? id) as EntryId,
    envelope,
    fields,
  });
}
