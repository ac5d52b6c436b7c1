import { isUtf8 } from 'node:buffer';

/** What the text of an ID begins with if its bytes are no text, or begin with this themselves. */
const MARK = 'base64:';

/**
 * A message ID as text. Any bytes are a valid ID, and different bytes have different texts: bytes that are not UTF-8 become
 * `base64:` and their base64, and so does text that begins with `base64:`.
 */
export function messageIdOf(bytes: Buffer): string {
  const text = bytes.toString();
  if (!text.startsWith(MARK) && (!text.includes('\uFFFD') || isUtf8(bytes))) return text;
  return MARK + bytes.toString('base64');
}

/** A message ID as a field's value: the reverse of {@link messageIdOf}. Other texts stand for themselves. */
export function messageIdField(id: string): string | Buffer {
  if (!id.startsWith(MARK)) return id;
  const bytes = Buffer.from(id.slice(MARK.length), 'base64');
  return messageIdOf(bytes) === id ? bytes : id;
}
