import type {
  ConsumerDeserializer,
  OutgoingEvent,
  ProducerSerializer,
} from '@nestjs/microservices';
import { MessageDecodingError, MessageEncodingError } from '../errors/message.errors.js';
import type { Codec, EntryFields, RawFields } from './codec.js';
import * as text from './codec.messages.js';
import type { DecodedEnvelope, MessageEnvelope } from './envelope.js';

/** What Nest's own options set. */
export interface NestSerialization {
  readonly serializer?: ProducerSerializer | undefined;
  readonly deserializer?: ConsumerDeserializer | undefined;
}

/**
 * A codec with Nest's serializer before it and deserializer behind it: a packet becomes the payload that is written, and the
 * payload that was read becomes a packet, whose data the handlers get.
 */
export class SerializingCodec implements Codec {
  readonly carriesKey: boolean;

  constructor(
    private readonly codec: Codec,
    private readonly stream: string,
    private readonly nest: NestSerialization,
  ) {
    this.carriesKey = codec.carriesKey === true;
  }

  encode(stream: string, envelope: MessageEnvelope): EntryFields {
    const { serializer } = this.nest;
    if (serializer === undefined) return this.codec.encode(stream, envelope);
    const payload = this.serialized(serializer, envelope);
    if (payload instanceof Promise) {
      throw new MessageEncodingError(stream, text.ASYNC_SERIALIZER);
    }
    return this.codec.encode(stream, { ...envelope, payload });
  }

  decode(fields: RawFields): DecodedEnvelope {
    const envelope = this.codec.decode(fields);
    const { deserializer } = this.nest;
    if (deserializer === undefined) return envelope;
    const packet: unknown = deserializer.deserialize(envelope.payload, { channel: this.stream });
    if (packet instanceof Promise) {
      // Nobody else will take its failure.
      packet.catch(() => undefined);
      throw new MessageDecodingError(text.ASYNC_DESERIALIZER);
    }
    if (typeof packet !== 'object' || packet === null || !('data' in packet)) {
      throw new MessageDecodingError(text.NO_PACKET);
    }
    return { ...envelope, payload: packet.data };
  }

  private serialized(
    serializer: ProducerSerializer,
    { payload: data, metadata }: MessageEnvelope,
  ): unknown {
    const packet: OutgoingEvent = { pattern: this.stream, data };
    // Nest 11 knows of none.
    if (metadata !== undefined) Object.assign(packet, { metadata });
    try {
      const payload: unknown = serializer.serialize(packet);
      if (payload instanceof Promise) payload.catch(() => undefined);
      return payload;
    } catch (cause) {
      if (cause instanceof MessageEncodingError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new MessageEncodingError(this.stream, text.serializerFailed(reason), { cause });
    }
  }
}
