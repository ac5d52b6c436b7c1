// What a terminal obeys instead of showing it: controls, marks that turn the direction of text or take no room, halves of signs,
// and what separates lines.
const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Text that came from elsewhere, fit for a terminal: what a terminal would obey is spelled out, so that nobody who publishes
 * can move the cursor, set a title or hide a line.
 */
export const visible = (text: string): string => text.replace(OBEYED, spelled);

// As JSON spells them, so that it can be used there too.
function spelled(sign: string): string {
  let words = '';
  for (let at = 0; at < sign.length; at++) {
    words += `\\u${sign.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }
  return words;
}
