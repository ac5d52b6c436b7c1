import type { Redis } from 'ioredis';
import { purgeDeadLettersScript } from '../redis/scripts/admin/purge-dead-letters.script.js';
import { redriveScript } from '../redis/scripts/admin/redrive.script.js';
import type { Codec } from '../wire/codec.js';
import {
  type DeadLetterPage,
  entryOf,
  newestOf,
  pagesOf,
  pagesOfAll,
} from './dead-letter-pages.js';
import {
  type DeadLetter,
  type DeadLetterPlace,
  DeadLetterPlaces,
  idInLedger,
  type PlacedEntry,
  toDeadLetter,
} from './dead-letter.js';

/** Which dead letters: those with these IDs, those that the filter accepts, or all that exist at the call. */
export type SomeDeadLetters =
  | { readonly ids?: readonly string[]; readonly filter?: never }
  | { readonly ids?: never; readonly filter?: DeadLetterFilter };

/** Accepts or refuses a dead letter. If it throws, the call ends; what was done before stays done. */
export type DeadLetterFilter = (deadLetter: DeadLetter) => boolean | Promise<boolean>;

/** How far a redrive has got. */
export interface RedriveProgress {
  /** How many are redriven so far. */
  readonly redriven: number;
  /** How many were examined so far. */
  readonly scanned: number;
  /** How many there were to examine when it began. */
  readonly total: number;
}

const LIST_LIMIT = 100;

/** The dead letters of one group of one stream, in all of its partitions. Its options are checked by the caller. */
export class GroupDeadLetters {
  private readonly places: DeadLetterPlaces;

  constructor(
    private readonly connect: () => Promise<Redis>,
    private readonly codec: Codec,
    private readonly whose: {
      readonly keyPrefix: string;
      readonly stream: string;
      readonly group: string;
      readonly partitions: number | undefined;
    },
  ) {
    const { keyPrefix, stream, group, partitions } = whose;
    this.places = new DeadLetterPlaces(keyPrefix, stream, group, partitions);
  }

  async list({
    limit = LIST_LIMIT,
    before,
  }: {
    readonly limit?: number;
    readonly before?: string;
  }): Promise<DeadLetter[]> {
    const start = before === undefined ? undefined : this.places.find(before, 'list.before');
    const entries = await newestOf(await this.connect(), this.places.all, limit, start);
    return entries.map((entry) => this.decode(entry));
  }

  async count(): Promise<number> {
    const client = await this.connect();
    return sumOf(this.places.all.map(({ keys }) => client.xlen(keys.deadLetters)));
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    const placed = this.places.find(id, 'get.id');
    const [entry] = await entryOf(await this.connect(), placed);
    return entry === undefined ? undefined : this.decode(entry);
  }

  async redrive(
    which: SomeDeadLetters & {
      readonly limit?: number;
      readonly onProgress?: (progress: RedriveProgress) => void;
    },
  ): Promise<{ redriven: number }> {
    const { ids, limit = Infinity, onProgress } = which;
    const pages = this.pages(ids, 'redrive');
    const client = await this.connect();
    const total = ids?.length ?? (await this.count());
    let [redriven, scanned] = [0, 0];
    for await (const page of pages(client)) {
      const wanted = await this.wanted(page, which);
      while (wanted.length > 0 && redriven < limit) {
        redriven += await this.redriveEach(client, wanted.splice(0, limit - redriven));
      }
      scanned += page.scanned;
      onProgress?.({ redriven, scanned, total });
      if (redriven >= limit) break;
    }
    return { redriven };
  }

  async purge(which: SomeDeadLetters): Promise<{ purged: number }> {
    const pages = this.pages(which.ids, 'purge');
    const client = await this.connect();
    let purged = 0;
    for await (const page of pages(client)) {
      purged += await purgeEach(client, await this.wanted(page, which));
    }
    return { purged };
  }

  /** Finds the places of the IDs at once, so that a wrong one is reported before anything is done. */
  private pages(
    ids: readonly string[] | undefined,
    call: string,
  ): (client: Redis) => AsyncGenerator<DeadLetterPage> {
    const found = ids?.map((id, at) => this.places.find(id, `${call}.ids.${at}`));
    return (client) =>
      found === undefined ? pagesOfAll(client, this.places.all) : pagesOf(client, found);
  }

  private async wanted(
    { entries }: DeadLetterPage,
    { filter }: SomeDeadLetters,
  ): Promise<PlacedEntry[]> {
    if (filter === undefined) return [...entries];
    const wanted: PlacedEntry[] = [];
    for (const entry of entries) {
      if (await filter(this.decode(entry))) wanted.push(entry);
    }
    return wanted;
  }

  private redriveEach(client: Redis, wanted: readonly PlacedEntry[]): Promise<number> {
    return inEachPlace(wanted, ({ keys }, placed) =>
      redriveScript.run(
        client,
        [keys.deadLetters, keys.retries, keys.attempts, keys.ledger, keys.packedLedger],
        placed.flatMap(({ entry }) => [entry.id, idInLedger(entry, this.codec) ?? '']),
      ),
    );
  }

  private decode(entry: PlacedEntry): DeadLetter {
    return toDeadLetter(entry, this.codec, this.whose);
  }
}

const purgeEach = (client: Redis, wanted: readonly PlacedEntry[]): Promise<number> =>
  inEachPlace(wanted, ({ keys: { deadLetters, retries, attempts } }, placed) =>
    purgeDeadLettersScript.run(
      client,
      [deadLetters, retries, attempts],
      placed.map(({ entry }) => entry.id),
    ),
  );

/** Runs one script for each place, since their keys are in different hash slots. */
function inEachPlace(
  wanted: readonly PlacedEntry[],
  work: (place: DeadLetterPlace, placed: readonly PlacedEntry[]) => Promise<number>,
): Promise<number> {
  const byPlace = new Map<DeadLetterPlace, PlacedEntry[]>();
  for (const placed of wanted) {
    const others = byPlace.get(placed.place);
    if (others === undefined) byPlace.set(placed.place, [placed]);
    else others.push(placed);
  }
  return sumOf([...byPlace].map(([place, placed]) => work(place, placed)));
}

async function sumOf(counts: readonly Promise<number>[]): Promise<number> {
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}
