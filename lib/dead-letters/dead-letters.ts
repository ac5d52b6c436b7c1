import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { StreamCodecs } from '../codec/stream-codecs.js';
import { InvalidOptionsError } from '../errors/invalid-options.error.js';
import { type StreamKeys, streamKeys } from '../keys/stream-keys.js';
import { checkOptions } from '../options/check-options.js';
import { deadLettersSchemas as schemas } from '../options/dead-letters.schema.js';
import type { DeadLettersOptions } from '../options/dead-letters-options.js';
import { DEFAULTS } from '../options/defaults.js';
import { resolveCodecs } from '../options/resolve-options.js';
import { OpenedConnection } from '../redis/opened-connection.js';
import type { RawEntry } from '../redis/replies.js';
import { purgeDeadLettersScript } from '../redis/scripts/purge-dead-letters.script.js';
import { redriveScript } from '../redis/scripts/redrive.script.js';
import { readEntries, readRangeBackwards } from '../redis/stream-range.js';
import { type DeadLetter, idInLedger, toDeadLetter } from './dead-letter.js';
import { type DeadLetterPage, pagesOf, pagesOfAll } from './dead-letter-pages.js';
import type {
  DeadLetterFilter,
  DeadLettersOf,
  GetDeadLetter,
  ListDeadLetters,
  PurgeDeadLetters,
  RedriveDeadLetters,
} from './dead-letters.arguments.js';
import * as text from './dead-letters.messages.js';

const LIST_LIMIT = 100;

/**
 * What a group has given up: to look at, to have run again, to throw away. The module provides it; without the module it
 * takes the options it needs, and connects with the first call.
 *
 * @example
 * ```ts
 * const [newest] = await this.deadLetters.list({ stream: 'orders', limit: 20 });
 * await this.deadLetters.redrive({ stream: 'orders', filter: ({ error }) => error?.name === 'TimeoutError' });
 * ```
 */
@Injectable()
export class DeadLetters implements OnApplicationShutdown {
  private readonly codecs: StreamCodecs;
  private readonly logger = new Logger(DeadLetters.name);
  private connection: OpenedConnection | undefined;

  /** @throws InvalidOptionsError */
  constructor(
    private readonly options: DeadLettersOptions = {},
    /** @internal The module has them already. */
    codecs?: StreamCodecs,
  ) {
    checkOptions(schemas.options, options);
    this.codecs = codecs ?? resolveCodecs(options);
  }

  /** A page of them, the newest first. */
  async list(its: ListDeadLetters): Promise<DeadLetter[]> {
    checkOptions(schemas.list, its, 'list');
    const { deadLetters } = this.keysOf(its, 'list');
    const { limit = LIST_LIMIT, before } = its;
    const from = before === undefined ? '+' : `(${before}`;
    const client = await this.ready();
    const entries = await readRangeBackwards(client, deadLetters, from, '-', limit);
    return entries.map((entry) => this.asDeadLetter(entry, its));
  }

  /** How many there are, with those that wait to run again or are running. */
  async count(its: DeadLettersOf): Promise<number> {
    checkOptions(schemas.count, its, 'count');
    const { deadLetters } = this.keysOf(its, 'count');
    const client = await this.ready();
    return client.xlen(deadLetters);
  }

  /** One of them; nothing where it is not there (any more). */
  async get(its: GetDeadLetter): Promise<DeadLetter | undefined> {
    checkOptions(schemas.get, its, 'get');
    const { deadLetters } = this.keysOf(its, 'get');
    const [entry] = await readEntries(await this.ready(), deadLetters, [its.id]);
    return entry === undefined ? undefined : this.asDeadLetter(entry, its);
  }

  /**
   * Has dead letters run again in their group, and in no other, beginning with attempt 1. Each stays a dead letter until its
   * run is settled: it is removed then, or becomes a new one. (At-most-once removes it when its run begins.) A
   * consumer of the group takes them; where none runs they wait for one. One that waits or runs already is not redriven a second time.
   *
   * @returns how many this call has redriven
   */
  async redrive(its: RedriveDeadLetters): Promise<{ redriven: number }> {
    checkOptions(schemas.redrive, its, 'redrive');
    const { limit = Infinity, onProgress } = its;
    const keys = this.keysOf(its, 'redrive');
    const codec = this.codecs.of(its.stream);
    const client = await this.ready();
    const total = its.ids?.length ?? (await client.xlen(keys.deadLetters));
    let [redriven, scanned] = [0, 0];
    for await (const page of this.pages(keys, its.ids)) {
      const wanted = await this.wanted(page, its);
      while (wanted.length > 0 && redriven < limit) {
        const some = wanted.splice(0, limit - redriven);
        redriven += await redriveScript.run(
          client,
          [keys.deadLetters, keys.retries, keys.attempts, keys.ledger, keys.packedLedger],
          some.flatMap((entry) => [entry.id, idInLedger(entry, codec) ?? '']),
        );
      }
      scanned += page.scanned;
      onProgress?.({ redriven, scanned, total });
      if (redriven >= limit) break;
    }
    return { redriven };
  }

  /**
   * Throws dead letters away, also such as wait to run again. One that is running goes on: it is not tried again, and is a dead
   * letter anew only where this was its last attempt.
   *
   * @returns how many this call has removed
   */
  async purge(its: PurgeDeadLetters): Promise<{ purged: number }> {
    checkOptions(schemas.purge, its, 'purge');
    const keys = this.keysOf(its, 'purge');
    const client = await this.ready();
    let purged = 0;
    for await (const page of this.pages(keys, its.ids)) {
      const wanted = await this.wanted(page, its);
      if (wanted.length === 0) continue;
      purged += await purgeDeadLettersScript.run(
        client,
        [keys.deadLetters, keys.retries, keys.attempts],
        wanted.map(({ id }) => id),
      );
    }
    return { purged };
  }

  /** Ends the connection where it is ours. It can be used again. */
  close(): void {
    this.connection?.drop();
    this.connection = undefined;
  }

  /** Nest calls it with the app's end. */
  onApplicationShutdown(): void {
    this.close();
  }

  // Nothing is resent on it: what counts what it did would not count it the second time.
  private ready(): Promise<Redis> {
    this.connection ??= new OpenedConnection(this.options.connection ?? DEFAULTS.connection, {
      role: 'operator',
      name: text.CONNECTION_NAME,
      called: text.ROLE,
      logger: this.logger,
    });
    return this.connection.ready();
  }

  private async *pages(
    keys: StreamKeys,
    ids: readonly string[] | undefined,
  ): AsyncGenerator<DeadLetterPage> {
    const client = await this.ready();
    yield* ids === undefined ? pagesOfAll(client, keys) : pagesOf(client, keys, ids);
  }

  private async wanted(
    { entries }: DeadLetterPage,
    its: DeadLettersOf & { filter?: DeadLetterFilter },
  ): Promise<RawEntry[]> {
    const { filter } = its;
    if (filter === undefined) return [...entries];
    const wanted: RawEntry[] = [];
    for (const entry of entries) {
      if (await filter(this.asDeadLetter(entry, its))) wanted.push(entry);
    }
    return wanted;
  }

  private asDeadLetter(entry: RawEntry, its: DeadLettersOf): DeadLetter {
    const { stream, group = this.options.group ?? '' } = its;
    return toDeadLetter(entry, this.codecs.of(stream), { stream, group });
  }

  private keysOf({ stream, group = this.options.group }: DeadLettersOf, call: string): StreamKeys {
    if (group === undefined) {
      throw new InvalidOptionsError(`${call}.group`, 'nothing', text.GROUP_NEEDED);
    }
    return streamKeys(this.options.keyPrefix ?? '', stream, group);
  }
}
