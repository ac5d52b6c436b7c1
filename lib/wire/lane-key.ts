import type { Codec } from './codec.js';
import type { MessageEnvelope } from './envelope.js';

/** Everything in a partition is one lane: whose key a message has cannot be known. */
const ONLY_LANE = '';

/**
 * What says which messages of a partition are to be handled one after the other: those of one ordering key, and without a key
 * those of one message ID. Where the codec does not bring the key along, all of them.
 */
export function laneKeyFor(
  codec: Codec,
): (envelope: Pick<MessageEnvelope, 'key'>, messageId: string) => string {
  if (codec.carriesKey !== true) return () => ONLY_LANE;
  return ({ key }, messageId) => key ?? messageId;
}
