import { cutText } from './thrown.js';

// What a terminal obeys instead of showing it: control characters, marks that change the direction of text or are invisible,
// half surrogates, and line separators.
const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Text from Redis, a caller or user code, made safe for a terminal and a log: what they would obey is written as an escape. So
 * nobody who publishes can move the cursor, set a title, hide a line or add one.
 */
export const visible = (text: string): string => text.replace(OBEYED, escaped);

/** How much of a name or an ID is shown. */
const LONGEST_NAME = 200;

/** A name, a key or an ID in an error or a log line: it may be a megabyte long. */
export const shown = (name: string): string => visible(cutText(name, LONGEST_NAME));

// In JSON's notation, so that the result is valid in JSON too.
function escaped(character: string): string {
  let text = '';
  for (let at = 0; at < character.length; at++) {
    text += `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }
  return text;
}
