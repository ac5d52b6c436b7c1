import { JsonCodec } from '../../lib/wire/json.codec.js';
import { OutcomeScripts, type OutcomeScriptsParts } from '../../lib/consume/outcome-scripts.js';
import { Reserver } from '../../lib/consume/reserver.js';
import type { StreamMessage } from '../../lib/consume/stream-message.js';
import { deadLetterParts } from '../../lib/wire/dead-letter-parts.js';
import { isRedrive } from '../../lib/wire/redrive-member.js';
import type { RawEntry } from '../../lib/redis/read/replies.js';
import type { Call } from './call.js';
import type { Who } from './model.js';
import { LONG_MS } from './state.js';

/** A message that a consumer believes to own; another may have it meanwhile. */
export interface InHand {
  readonly message: StreamMessage;
  reserved: boolean;
  started: boolean;
}

/** A call that settled messages, to be sent again late. */
interface Sent {
  readonly call: Call<unknown>;
  readonly entryIds: readonly string[];
}

/** The group of the member. */
type Where = Pick<OutcomeScriptsParts, 'client' | 'keys' | 'options'> & { readonly name: string };

const codec = new JsonCodec();

/** A consumer of the group: its messages, and its calls as the library makes them. */
export class Member implements Who {
  readonly hand = new Map<string, InHand>();
  sent: Sent[] = [];
  private starts = 1;
  /** Of this process: its calls are numbered. */
  private calls: { readonly reserver: Reserver; readonly scripts: OutcomeScripts } | undefined;

  constructor(
    readonly name: string,
    private readonly group: Where,
  ) {}

  /** A new one for each process with its name. */
  get token(): string {
    return `${this.name}${this.starts}`;
  }

  get scripts(): OutcomeScripts {
    return this.itsCalls.scripts;
  }

  get reserver(): Reserver {
    return this.itsCalls.reserver;
  }

  /** Its process dies, and another one with its name starts. */
  restart(): void {
    this.hand.clear();
    this.sent = [];
    this.starts++;
    this.calls = undefined;
  }

  accept(entries: readonly RawEntry[]): void {
    for (const { id, fields } of entries) {
      if (this.hand.has(id)) continue;
      // It is sent again before its consumer does anything new.
      this.sent = this.sent.filter(({ entryIds }) => !entryIds.includes(id));
      this.hand.set(id, { message: asMessage(id, fields ?? []), reserved: false, started: false });
    }
  }

  private get itsCalls() {
    const { parts } = this;
    return (this.calls ??= { reserver: new Reserver(parts), scripts: new OutcomeScripts(parts) });
  }

  private get parts() {
    const { client, keys, name: group, options } = this.group;
    const { name: consumer, token } = this;
    return { client, keys, group, consumer, token, leaseMs: LONG_MS, options };
  }
}

function asMessage(id: string, read: readonly Buffer[]): StreamMessage {
  const redriven = isRedrive(id) ? deadLetterParts(read) : undefined;
  const fields = redriven?.fields ?? read;
  const envelope = codec.decode(fields);
  return {
    entryId: id,
    originalEntryId: redriven?.cause.get('entry-id') ?? id,
    messageId: envelope.messageId ?? id,
    envelope,
    fields,
    attempt: 1,
    alone: false,
  };
}
