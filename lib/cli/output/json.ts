import { visible } from './visible.js';

/**
 * JSON for programs, which terminals show unharmed: JSON itself spells out some of what they obey, and the rest is only found in
 * texts, where the same spelling is allowed.
 */
export const jsonText = (value: unknown, indent?: number): string => {
  const json = JSON.stringify(value, replaceBytes, indent);
  return json.split('\n').map(visible).join('\n');
};

// As Buffer would write itself, each byte would be a number.
function replaceBytes(this: unknown, key: string, value: unknown): unknown {
  const own: unknown = typeof this === 'object' && this !== null ? Reflect.get(this, key) : value;
  if (own instanceof Uint8Array) return { base64: Buffer.from(own).toString('base64') };
  return value;
}
