import type { RawEntry } from '../redis/read/replies.js';
import type { EntriesInHand } from './entries-in-hand.js';
import { EntryDecoder, type EntryDecoderParts } from './sources/entry-decoder.js';
import type { Outcomes } from './outcomes.js';
import type { AsNew, StreamMessage } from './stream-message.js';

/** Makes messages, in hand from then on, of the entries that Redis gave. */
export class Arrivals {
  private readonly decoder: EntryDecoder;

  constructor(
    private readonly parts: Omit<EntryDecoderParts, 'onUndecodable'>,
    private readonly inHand: EntriesInHand,
    outcomes: Pick<Outcomes, 'undecodable'>,
  ) {
    this.decoder = new EntryDecoder({
      ...parts,
      onUndecodable: (entry, reason, error) => {
        inHand.add(entry.id);
        outcomes.undecodable(entry, reason, error);
      },
    });
  }

  /**
   * @param asNew of one that Redis has just given out for the first time
   * @returns nothing where there is nothing to run
   */
  messageOf(entry: RawEntry, asNew?: AsNew): StreamMessage | undefined {
    this.inHand.noteGiven(entry.id);
    const message = this.decoder.decode(entry, asNew);
    if (message === undefined) return undefined;
    this.inHand.add(entry.id);
    this.parts.tally.received(message);
    return message;
  }
}
