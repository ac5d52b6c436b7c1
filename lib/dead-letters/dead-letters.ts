import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { StreamCodecs } from '../wire/stream-codecs.js';
import { InvalidOptionsError } from '../errors/options.errors.js';
import { checkOptions } from '../options/check-options.js';
import {
  deadLettersSchemas as schemas,
  type DeadLettersOptions,
} from '../options/dead-letters-options.js';
import { DEFAULTS, type StreamPartitions } from '../options/resolved-options.js';
import { resolveCodecs, resolvePartitions } from '../options/resolve-options.js';
import { OpenedConnection } from '../redis/connect/opened-connection.js';
import { type DeadLetter, toDeadLetter } from './dead-letter.js';
import {
  type DeadLetterPage,
  entryOf,
  newestOf,
  pagesOf,
  pagesOfAll,
} from './dead-letter-pages.js';
import { DeadLetterPlaces, type PlacedEntry } from './dead-letter-places.js';
import type {
  DeadLetterFilter,
  DeadLettersOf,
  GetDeadLetter,
  ListDeadLetters,
  PurgeDeadLetters,
  RedriveDeadLetters,
} from './dead-letters.arguments.js';
import * as text from './dead-letters.messages.js';
import { purgeEach, redriveEach } from './each-place.js';

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
  private readonly partitions: StreamPartitions;
  private readonly logger = new Logger(DeadLetters.name);
  private connection: OpenedConnection | undefined;

  /** @throws InvalidOptionsError */
  constructor(
    private readonly options: DeadLettersOptions = {},
    /** @internal The module has them already. */
    resolved?: { readonly codecs: StreamCodecs; readonly partitions: StreamPartitions },
  ) {
    checkOptions(schemas.options, options);
    this.codecs = resolved?.codecs ?? resolveCodecs(options);
    this.partitions = resolved?.partitions ?? resolvePartitions(options.streams);
  }

  /** A page of them, the newest first. */
  async list(its: ListDeadLetters): Promise<DeadLetter[]> {
    checkOptions(schemas.list, its, 'list');
    const places = this.placesOf(its, 'list');
    const { limit = LIST_LIMIT } = its;
    const before = its.before === undefined ? undefined : places.find(its.before, 'list.before');
    const entries = await newestOf(await this.ready(), places.all, limit, before);
    return entries.map((entry) => this.asDeadLetter(entry, its));
  }

  /** How many there are, with those that wait to run again or are running. */
  async count(its: DeadLettersOf): Promise<number> {
    checkOptions(schemas.count, its, 'count');
    return this.countIn(this.placesOf(its, 'count'));
  }

  /** One of them; nothing where it is not there (any more). */
  async get(its: GetDeadLetter): Promise<DeadLetter | undefined> {
    checkOptions(schemas.get, its, 'get');
    const id = this.placesOf(its, 'get').find(its.id, 'get.id');
    const [entry] = await entryOf(await this.ready(), id);
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
    const places = this.placesOf(its, 'redrive');
    const codec = this.codecs.of(its.stream);
    const pages = this.pages(places, its.ids, 'redrive');
    const client = await this.ready();
    const total = its.ids?.length ?? (await this.countIn(places));
    let [redriven, scanned] = [0, 0];
    for await (const page of pages(client)) {
      const wanted = await this.wanted(page, its);
      while (wanted.length > 0 && redriven < limit) {
        const some = wanted.splice(0, limit - redriven);
        redriven += await redriveEach(client, some, codec);
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
    const pages = this.pages(this.placesOf(its, 'purge'), its.ids, 'purge');
    const client = await this.ready();
    let purged = 0;
    for await (const page of pages(client)) {
      purged += await purgeEach(client, await this.wanted(page, its));
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

  private async countIn({ all }: DeadLetterPlaces): Promise<number> {
    const client = await this.ready();
    const counts = await Promise.all(all.map(({ keys }) => client.xlen(keys.deadLetters)));
    return counts.reduce((sum, its) => sum + its, 0);
  }

  private pages(
    places: DeadLetterPlaces,
    ids: readonly string[] | undefined,
    call: string,
  ): (client: Redis) => AsyncGenerator<DeadLetterPage> {
    const found = ids?.map((id, at) => places.find(id, `${call}.ids.${at}`));
    return (client) =>
      found === undefined ? pagesOfAll(client, places.all) : pagesOf(client, found);
  }

  private async wanted(
    { entries }: DeadLetterPage,
    its: DeadLettersOf & { filter?: DeadLetterFilter },
  ): Promise<PlacedEntry[]> {
    const { filter } = its;
    if (filter === undefined) return [...entries];
    const wanted: PlacedEntry[] = [];
    for (const entry of entries) {
      if (await filter(this.asDeadLetter(entry, its))) wanted.push(entry);
    }
    return wanted;
  }

  private asDeadLetter(entry: PlacedEntry, its: DeadLettersOf): DeadLetter {
    const { stream, group = this.options.group ?? '' } = its;
    return toDeadLetter(entry, this.codecs.of(stream), { stream, group });
  }

  private placesOf(
    { stream, group = this.options.group }: DeadLettersOf,
    call: string,
  ): DeadLetterPlaces {
    if (group === undefined) {
      throw new InvalidOptionsError(`${call}.group`, 'nothing', text.GROUP_NEEDED);
    }
    const { keyPrefix = '' } = this.options;
    return new DeadLetterPlaces(keyPrefix, stream, group, this.partitions.get(stream));
  }
}
