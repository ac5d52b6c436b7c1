import type { Redis } from 'ioredis';
import type { EntryFields } from '../wire/codec.js';
import { callKey, type StreamKeys } from '../wire/stream-keys.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import { commitRedrivesScript } from '../redis/scripts/settle/commit-redrives.script.js';
import { commitScript } from '../redis/scripts/settle/commit.script.js';
import { deadLetterScript } from '../redis/scripts/settle/dead-letter.script.js';
import { handOverScript } from '../redis/scripts/settle/hand-over.script.js';
import { putBackScript } from '../redis/scripts/settle/put-back.script.js';
import { releaseLeasesScript } from '../redis/scripts/settle/release-leases.script.js';
import { scheduleRetryScript } from '../redis/scripts/settle/schedule-retry.script.js';
import { startAloneScript } from '../redis/scripts/reserve/start-alone.script.js';
import { startRedriveScript } from '../redis/scripts/reserve/start-redrive.script.js';
import { boundsOf } from '../wire/entry-id.js';
import { CallNumbers } from './call-numbers.js';
import { isLeased, leaseIdOf } from './lease-id.js';
import type { SettledEntry } from './settle-steps.js';
import type { StreamMessage } from './stream-message.js';

/** At-most-once has no lease that would be gone where a call is sent again: for so long the call itself is known. */
const CALL_KNOWN_MS = 3_600_000;

/** A message that waits for its next attempt. */
export interface Retry {
  readonly message: StreamMessage;
  readonly delayMs: number;
}

/** An entry that will not be tried again; one that could not be decoded was not reserved. */
export interface DeadEntry extends SettledEntry {
  readonly reserved: boolean;
  readonly fields: EntryFields;
}

/** Whose outcomes they are. */
export interface OutcomeScriptsParts {
  readonly client: Redis;
  readonly keys: StreamKeys;
  readonly group: string;
  readonly consumer: string;
  readonly token: string;
  readonly leaseMs: number;
  readonly options: ResolvedSubscription;
}

/** What is done in Redis for each outcome of one stream's messages: one script each, that may be sent again. */
export class OutcomeScripts {
  /** What is sent again with its fence gone is known by its number. */
  private readonly numbers = new CallNumbers();

  constructor(private readonly parts: OutcomeScriptsParts) {}

  /** What its holder is known by; without a lease nobody has a token. */
  private fenceOf(entry: Pick<StreamMessage, 'entryId'> | undefined): string {
    const { options, token } = this.parts;
    return entry !== undefined && isLeased(entry, options) ? token : '';
  }

  commit(messages: readonly StreamMessage[]): Promise<unknown> {
    const { client, keys, group, options } = this.parts;
    const entryIds = messages.map(({ entryId }) => entryId);
    const hasLedger = options.dedup !== false;
    const messageIds = hasLedger ? messages.map(({ messageId }) => messageId) : [];
    return commitScript.run(
      client,
      [keys.stream, keys.ledger, keys.leases, keys.retries, keys.attempts, keys.position],
      [
        group,
        hasLedger ? 1 : 0,
        JSON.stringify(entryIds),
        JSON.stringify(messageIds),
        boundsOf(entryIds)[1],
      ],
    );
  }

  commitRedrives(redrives: readonly StreamMessage[]): Promise<unknown> {
    const { client, keys, options } = this.parts;
    return commitRedrivesScript.run(
      client,
      [keys.ledger, keys.leases, keys.retries, keys.attempts, keys.deadLetters],
      [
        options.dedup === false ? 0 : 1,
        ...redrives.flatMap((message) => [
          message.entryId,
          message.messageId,
          leaseIdOf(message, options),
        ]),
      ],
    );
  }

  async release(messages: readonly StreamMessage[]): Promise<unknown> {
    const { client, keys, token, options } = this.parts;
    const leased = messages.filter((message) => isLeased(message, options));
    if (leased.length === 0) return;
    const entryIds = leased.map(({ entryId }) => entryId);
    const leaseIds = leased.map((message) => leaseIdOf(message, options));
    return releaseLeasesScript.run(
      client,
      [keys.leases],
      [token, JSON.stringify(entryIds), JSON.stringify(leaseIds)],
    );
  }

  /** @returns for each whether it is back */
  async putBack(messages: readonly StreamMessage[]): Promise<boolean[]> {
    const { client, keys, group, consumer, options } = this.parts;
    if (options.dedup === false) return [];
    const rows = messages.flatMap(({ entryId, messageId, recordedMs }) => [
      entryId,
      messageId,
      recordedMs ?? 0,
    ]);
    return putBackScript.run(
      client,
      [keys.stream, keys.ledger, keys.retries, keys.packedLedger, this.callKeyOf(messages)],
      [group, consumer, CALL_KNOWN_MS, ...rows],
    );
  }

  handOver(messages: readonly StreamMessage[]): Promise<unknown> {
    const { client, keys, group, consumer, token, options } = this.parts;
    return handOverScript.run(
      client,
      [keys.stream, keys.leases, keys.retries, keys.attempts],
      [
        group,
        consumer,
        token,
        ...messages.flatMap((message) => [
          message.entryId,
          leaseIdOf(message, options),
          waitsMs(message),
        ]),
      ],
    );
  }

  putOff(retries: readonly Retry[]): Promise<boolean[]> {
    return this.countAttempts(retries, '');
  }

  /** Counts an attempt of a message that stays here until the next one. */
  async countAttempt(message: StreamMessage): Promise<boolean> {
    const [kept] = await this.countAttempts([{ message, delayMs: 0 }], this.parts.leaseMs);
    return kept === true;
  }

  async startAlone(message: StreamMessage): Promise<boolean> {
    const { client, keys, group, consumer, options } = this.parts;
    // At-most-once has acknowledged it: it does not come back, whatever becomes of this process.
    if (options.delivery === 'at-most-once') return true;
    return startAloneScript.run(
      client,
      [keys.stream, keys.leases, keys.attempts],
      [group, consumer, this.fenceOf(message), message.entryId, leaseIdOf(message, options)],
    );
  }

  /** At-most-once: its dead letter goes when its handler starts, and not before. */
  async startRedrive(message: StreamMessage): Promise<boolean> {
    const { client, keys, token, options } = this.parts;
    return startRedriveScript.run(
      client,
      [
        keys.ledger,
        keys.leases,
        keys.retries,
        keys.attempts,
        keys.deadLetters,
        this.callKeyOf(message),
      ],
      [
        token,
        options.dedup === false ? 0 : 1,
        message.entryId,
        message.messageId,
        leaseIdOf(message, options),
        CALL_KNOWN_MS,
      ],
    );
  }

  private countAttempts(retries: readonly Retry[], keepsMs: number | ''): Promise<boolean[]> {
    const { client, keys, group, consumer, options } = this.parts;
    const rows = retries.flatMap(({ message, delayMs }) => [
      message.entryId,
      leaseIdOf(message, options),
      message.attempt,
      delayMs,
    ]);
    return scheduleRetryScript.run(
      client,
      [keys.stream, keys.leases, keys.retries, keys.attempts],
      [group, consumer, this.fenceOf(retries[0]?.message), keepsMs, ...rows],
    );
  }

  deadLetter(entry: DeadEntry): Promise<unknown> {
    const { entryId, reserved, fields } = entry;
    const { client, keys, group, consumer, options } = this.parts;
    const isAcknowledged = reserved && options.delivery === 'at-most-once';
    return deadLetterScript.run(
      client,
      [
        keys.stream,
        keys.leases,
        keys.retries,
        keys.attempts,
        keys.deadLetters,
        keys.position,
        this.callKeyOf(entry),
      ],
      [
        group,
        consumer,
        reserved && !isAcknowledged ? this.fenceOf(entry) : '',
        isAcknowledged ? CALL_KNOWN_MS : '',
        options.deadLetter.maxLength ?? '',
        entryId,
        leaseIdOf(entry, options),
        ...fields,
      ],
    );
  }

  private callKeyOf(what: object): string {
    const { keys, token } = this.parts;
    return callKey(keys, token, this.numbers.of(what));
  }
}

/** How long it still has to wait for its next attempt, in ms; empty if it has not. */
const waitsMs = ({ dueAt }: StreamMessage): number | '' => {
  const leftMs = dueAt === undefined ? 0 : Math.ceil(dueAt - performance.now());
  return leftMs > 0 ? leftMs : '';
};
