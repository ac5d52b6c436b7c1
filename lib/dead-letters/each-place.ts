import type { Redis } from 'ioredis';
import type { Codec } from '../wire/codec.js';
import { purgeDeadLettersScript } from '../redis/scripts/admin/purge-dead-letters.script.js';
import { redriveScript } from '../redis/scripts/admin/redrive.script.js';
import { idInLedger } from './dead-letter.js';
import type { DeadLetterPlace, PlacedEntry } from './dead-letter-places.js';

/** Has these run again; gives how many of them do. */
export const redriveEach = (
  client: Redis,
  wanted: readonly PlacedEntry[],
  codec: Codec,
): Promise<number> =>
  inEachPlace(wanted, ({ keys }, its) =>
    redriveScript.run(
      client,
      [keys.deadLetters, keys.retries, keys.attempts, keys.ledger, keys.packedLedger],
      its.flatMap(({ entry }) => [entry.id, idInLedger(entry, codec) ?? '']),
    ),
  );

/** Throws these away; gives how many were there. */
export const purgeEach = (client: Redis, wanted: readonly PlacedEntry[]): Promise<number> =>
  inEachPlace(wanted, ({ keys: { deadLetters, retries, attempts } }, its) =>
    purgeDeadLettersScript.run(
      client,
      [deadLetters, retries, attempts],
      its.map(({ entry }) => entry.id),
    ),
  );

/** One script for each place: their keys are in different hash slots. */
async function inEachPlace(
  wanted: readonly PlacedEntry[],
  work: (place: DeadLetterPlace, its: readonly PlacedEntry[]) => Promise<number>,
): Promise<number> {
  const byPlace = new Map<DeadLetterPlace, PlacedEntry[]>();
  for (const placed of wanted) {
    const its = byPlace.get(placed.place);
    if (its === undefined) byPlace.set(placed.place, [placed]);
    else its.push(placed);
  }
  const counts = await Promise.all([...byPlace].map(([place, its]) => work(place, its)));
  return counts.reduce((sum, count) => sum + count, 0);
}
