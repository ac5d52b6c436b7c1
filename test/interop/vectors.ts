/** A message, and what Watermill and natricine write for its metadata. */
export interface Vector {
  readonly title: string;
  readonly name: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** MessagePack, in hex. Undefined if there is no metadata. */
  readonly metadata: string | undefined;
}

const hex = (text: string): string => Buffer.from(text).toString('hex');
const numbered = Array.from({ length: 15 }, (_, n) => [`k${n + 10}`, `v${n + 10}`] as const);

/**
 * Derived by hand from the MessagePack specification: 0x80 + entries begins a map of up to 15 entries, `de` and 16 bits a longer
 * one; 0xa0 + bytes begins a string of up to 31 bytes, `d9` and 8 bits or `da` and 16 bits a longer one.
 */
export const VECTORS: readonly Vector[] = [
  { title: 'no metadata', name: undefined, headers: {}, metadata: undefined },
  {
    title: 'a name',
    name: 'orders.OrderPlaced',
    headers: {},
    metadata: `81 a4${hex('name')} b2${hex('orders.OrderPlaced')}`,
  },
  {
    title: 'a header and a name',
    name: 'a',
    headers: { correlation_id: '7' },
    metadata: `82 ae${hex('correlation_id')} a137 a4${hex('name')} a161`,
  },
  {
    title: 'an empty value',
    name: 'a',
    headers: { trace: '' },
    metadata: `82 a5${hex('trace')} a0 a4${hex('name')} a161`,
  },
  {
    title: 'an empty key',
    name: 'a',
    headers: { '': 'x' },
    metadata: `82 a0 a178 a4${hex('name')} a161`,
  },
  {
    title: 'characters of two, three and four bytes',
    name: '名前',
    headers: { Straße: 'Köln 🚆' },
    metadata: `82 a7${'53747261c39f65'} aa${'4bc3b66c6e20f09f9a86'} a4${hex('name')} a6${'e5908de5898d'}`,
  },
  {
    title: 'a string of 31 bytes, and one of 32',
    name: 'n'.repeat(32),
    headers: { trace: 'x'.repeat(31) },
    metadata: `82 a5${hex('trace')} bf${'78'.repeat(31)} a4${hex('name')} d920${'6e'.repeat(32)}`,
  },
  {
    title: 'a string of 255 bytes, and one of 256',
    name: 'n'.repeat(256),
    headers: { trace: 'x'.repeat(255) },
    metadata: `82 a5${hex('trace')} d9ff${'78'.repeat(255)} a4${hex('name')} da0100${'6e'.repeat(256)}`,
  },
  {
    title: '16 entries',
    name: 'a',
    headers: Object.fromEntries(numbered),
    metadata: `de0010 ${numbered.map(([key, value]) => `a3${hex(key)} a3${hex(value)}`).join(' ')} a4${hex('name')} a161`,
  },
];

export const bytesOf = ({ metadata = '' }: Pick<Vector, 'metadata'>): Buffer =>
  Buffer.from(metadata.replaceAll(' ', ''), 'hex');

/** A vector's metadata as the partner's library shows it. */
export const metadataOf = ({ name, headers }: Vector): Record<string, string> => ({
  ...headers,
  ...(name !== undefined && { name }),
});

/** A UUID that differs for each number. */
export const uuid = (n: number): string =>
  `0190cafe-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;

/** Payloads that are bytes: none, all that exist, and some that are not UTF-8. */
export const PAYLOADS: readonly (readonly [string, Buffer])[] = [
  ['no bytes', Buffer.alloc(0)],
  ['every byte', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
  ['bytes that are not UTF-8', Buffer.from([0xff, 0xfe, 0x00, 0x0d, 0x0a])],
  ['a megabyte', Buffer.alloc(1_000_000, 0xa5)],
];
