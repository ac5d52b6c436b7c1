import type { Codec } from '../../wire/codec.js';
import { FieldCodec } from '../../wire/field.codec.js';
import { JsonCodec } from '../../wire/json.codec.js';
import type { PayloadForm } from '../../wire/payload-form.js';
import { UsageError } from '../cli.error.js';

const FIELD = 'field:';

/**
 * The codec that `--codec` and `--payload` name.
 *
 * @throws UsageError
 */
export async function codecOf(name: string, payload: PayloadForm | undefined): Promise<Codec> {
  const form = payload === undefined ? {} : { payload };
  if (name === 'watermill' || name === 'natricine') {
    // MessagePack is loaded only if it is used.
    const { WatermillCodec } = await import('../../wire/watermill.codec.js');
    return new WatermillCodec(
      name === 'watermill' ? form : { uuidKey: '_natricine_message_uuid', ...form },
    );
  }
  if (name.startsWith(FIELD) && name.length > FIELD.length) {
    return new FieldCodec({ field: name.slice(FIELD.length), ...form });
  }
  if (name !== 'json') {
    throw new UsageError(
      `--codec "${name}" is not one of: json, watermill, natricine, field:<name>`,
    );
  }
  if (payload !== undefined) {
    throw new UsageError('--payload is only for the codecs watermill, natricine and field:<name>');
  }
  return new JsonCodec();
}
