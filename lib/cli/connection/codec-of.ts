import type { Codec } from '../../wire/codec.js';
import { FieldCodec } from '../../wire/field.codec.js';
import { JsonCodec } from '../../wire/json.codec.js';
import type { PayloadForm } from '../../wire/payload-form.js';
import { WatermillCodec } from '../../wire/watermill.codec.js';
import { UsageError } from '../cli.error.js';
import * as text from '../cli.messages.js';

const FIELD = 'field:';

/** The codec that `--codec` and `--payload` name. */
export function codecOf(name: string, payload: PayloadForm | undefined): Codec {
  const form = payload === undefined ? {} : { payload };
  if (name === 'watermill') return new WatermillCodec(form);
  if (name === 'natricine') {
    return new WatermillCodec({ uuidKey: '_natricine_message_uuid', ...form });
  }
  if (name.startsWith(FIELD) && name.length > FIELD.length) {
    return new FieldCodec({ field: name.slice(FIELD.length), ...form });
  }
  if (name !== 'json') throw new UsageError(text.codecUnknown(name));
  if (payload !== undefined) throw new UsageError(text.PAYLOAD_OF_JSON);
  return new JsonCodec();
}
