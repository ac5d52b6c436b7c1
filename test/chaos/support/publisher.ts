import { setTimeout as delay } from 'node:timers/promises';

import { Logger } from '@nestjs/common';
import { firstValueFrom } from 'rxjs';

import { ClientRedisStreams, PublishError, RedisStreamsRecordBuilder } from '../../../lib/index.js';
import { recordedLog } from '../../support/recorded-log.js';
import type { Work } from './work.js';

/** Where a publisher publishes, and what it reports. */
export interface PublishesTo {
  readonly stream: string;
  readonly published: Set<string>;
  newMessage(work: Work): string;
}

/** Publishes with the real client, like a careful user: what failed is published again, with the same message ID. */
export class Publisher {
  /** How many calls of `emit()` failed. */
  failed = 0;
  /** Of these, the ones that may have been written anyway. */
  ambiguous = 0;
  private readonly client: ClientRedisStreams;
  private stopping = false;
  private steady: Promise<void> | undefined;

  constructor(
    private readonly chaos: PublishesTo,
    url: string,
  ) {
    // The error of each lost connection is of no use here.
    Logger.overrideLogger(recordedLog);
    this.client = new ClientRedisStreams({ connection: url, publishTimeoutMs: 5_000 });
  }

  /** Publishes until Redis has it. @returns its ID */
  async publish(work: Work = {}): Promise<string> {
    const { stream } = this.chaos;
    const messageId = this.chaos.newMessage(work);
    const record = new RedisStreamsRecordBuilder(work).setMessageId(messageId).build();
    for (;;) {
      try {
        await firstValueFrom(this.client.emit(stream, record));
        this.chaos.published.add(messageId);
        return messageId;
      } catch (error) {
        if (!(error instanceof PublishError)) throw error;
        this.failed++;
        if (error.ambiguous) this.ambiguous++;
        await delay(20);
      }
    }
  }

  /** Publishes one after the other, until it is stopped. */
  begin(everyMs: number, work: () => Work = () => ({})): void {
    const publishing = async (): Promise<void> => {
      while (!this.stopping) {
        const due = delay(everyMs);
        await this.publish(work());
        await due;
      }
    };
    this.steady = publishing();
  }

  /** Resolves once the last one is accepted. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.steady;
  }

  async close(): Promise<void> {
    this.stopping = true;
    await this.client.close();
  }
}
