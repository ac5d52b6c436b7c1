import { type Codec, FieldCodec, JsonCodec, WatermillCodec } from '../../lib/index.js';
import { losslessJson } from '../../lib/wire/lossless-json.js';

/** A codec, and the fields without which it reads nothing. */
interface FuzzedCodec {
  readonly title: string;
  readonly codec: Codec;
  readonly needed: readonly string[];
}

const NATRICINE = '_natricine_message_uuid';
const [JSON_FIELDS, WATERMILL_FIELDS] = [
  ['name', 'body'],
  ['payload', 'metadata'],
];

export const FUZZED_CODECS: readonly FuzzedCodec[] = [
  { title: 'JsonCodec', codec: new JsonCodec(), needed: JSON_FIELDS },
  {
    title: 'JsonCodec with losslessJson',
    codec: new JsonCodec({ json: losslessJson }),
    needed: JSON_FIELDS,
  },
  { title: 'WatermillCodec', codec: new WatermillCodec(), needed: WATERMILL_FIELDS },
  {
    title: 'WatermillCodec of bytes',
    codec: new WatermillCodec({ payload: 'bytes' }),
    needed: WATERMILL_FIELDS,
  },
  {
    title: 'WatermillCodec of text for natricine',
    codec: new WatermillCodec({ uuidKey: NATRICINE, payload: 'text' }),
    needed: [...WATERMILL_FIELDS, NATRICINE],
  },
  { title: 'FieldCodec', codec: new FieldCodec({ field: 'it' }), needed: ['it'] },
  {
    title: 'FieldCodec of text',
    codec: new FieldCodec({ field: 'it', payload: 'text' }),
    needed: ['it'],
  },
  {
    title: 'FieldCodec of bytes',
    codec: new FieldCodec({ field: 'it', payload: 'bytes' }),
    needed: ['it'],
  },
];
