import { compareEntryIds } from '../wire/ids.js';

/** So many of the latest entries are remembered one by one, and about as many of those before. */
const REMEMBERED = 64;

/** Up to where a group was given the entries of a stream, as far as this consumer knows. */
export class GroupPosition {
  private highest = '';
  /** The latest entries, in a ring. */
  private latest: string[] = [];
  private next = 0;
  /** Some of those before, oldest first: the older, the fewer. */
  private earlier: Mark[] = [];
  private rounds = 0;

  /** The highest entry ID that was given out; empty if this consumer knows of none. */
  get highestId(): string {
    return this.highest;
  }

  /** The group was given this entry, and so all entries before it. */
  noteGiven(entryId: string): void {
    if (this.highest !== '' && compareEntryIds(entryId, this.highest) <= 0) return;
    this.highest = entryId;
    this.latest[this.next++] = entryId;
    if (this.next === REMEMBERED) this.startRound(entryId);
  }

  /**
   * Entries that the group was given, up to `entryId`, newest first. If a stream holds one of them, it is the same stream, and has
   * lost what came later.
   */
  givenUpTo(entryId: string): string[] {
    const given = [...new Set([...this.earlier.map(({ id }) => id), ...this.latest])];
    return given
      .filter((id) => compareEntryIds(id, entryId) <= 0)
      .sort((a, b) => compareEntryIds(b, a));
  }

  /** The stream has lost what came after this entry, or is a new one. */
  rewind(entryId: string): void {
    const given = this.givenUpTo(entryId).sort(compareEntryIds);
    this.forget();
    for (const id of [...given, entryId]) this.noteGiven(id);
  }

  /** The stream is gone: a new one begins with lower IDs. */
  forget(): void {
    this.highest = '';
    this.latest = [];
    this.next = 0;
    this.earlier = [];
  }

  private startRound(entryId: string): void {
    this.next = 0;
    this.earlier.push({ id: entryId, round: ++this.rounds });
    if (this.earlier.length > REMEMBERED)
      this.earlier.splice(leastMissed(this.earlier, this.rounds), 1);
  }
}

/** An entry, and when it was given: after how many rounds of the ring. */
interface Mark {
  readonly id: string;
  readonly round: number;
}

/** The index of the mark that leaves the smallest gap, compared to how long ago it was. */
function leastMissed(marks: readonly Mark[], now: number): number {
  let [least, at] = [Infinity, 0];
  for (let n = 1; n < marks.length - 1; n++) {
    const [before = 0, after = 0] = [marks[n - 1]?.round, marks[n + 1]?.round];
    const gap = (after - before) / (now - before);
    if (gap < least) [least, at] = [gap, n];
  }
  return at;
}
