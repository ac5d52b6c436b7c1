import type {
  ConsumerDeserializer,
  OutgoingEvent,
  ProducerSerializer,
} from '@nestjs/microservices';
import { MessageDecodingError, MessageEncodingError } from '../errors/message.errors.js';
import { thrownText } from '../errors/thrown-text.js';
import { isA } from '../errors/thrown.js';
import { ByStream } from './by-stream.js';
import * as text from './codec.js';
import type { Codec, DecodedEnvelope, EntryFields, MessageEnvelope, RawFields } from './codec.js';

/** The codec of each stream. */
export class StreamCodecs {
  private readonly serializing = new Map<string, Codec>();

  /**
   * @param base for streams without a codec of their own
   * @param own by stream
   * @param nest the serializer and deserializer around each of them
   */
  constructor(
    private readonly base: Codec,
    private readonly own: ByStream<Codec> = new ByStream(),
    private readonly nest: NestSerialization = {},
  ) {}

  of(stream: string): Codec {
    const codec = this.plain(stream);
    const { serializer, deserializer } = this.nest;
    if (serializer === undefined && deserializer === undefined) return codec;
    const known = this.serializing.get(stream);
    if (known !== undefined) return known;
    const serializing = new SerializingCodec(codec, stream, this.nest);
    this.serializing.set(stream, serializing);
    return serializing;
  }

  /** The codec without Nest's serializer and deserializer. Replies use it. */
  plain(stream: string): Codec {
    return this.own.get(stream) ?? this.base;
  }

  /** The key in `streams` that sets the codec of a stream. */
  keyOf(stream: string): string | undefined {
    return this.own.keyOf(stream);
  }
}

/** Nest's own options. */
export interface NestSerialization {
  readonly serializer?: ProducerSerializer | undefined;
  readonly deserializer?: ConsumerDeserializer | undefined;
}

/**
 * A codec with Nest's serializer and deserializer. The serializer makes the payload to write from a packet; the deserializer makes
 * a packet from the payload that was read, and handlers get its data.
 */
class SerializingCodec implements Codec {
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
      // Nobody else handles its rejection.
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
    // Nest 11 has no metadata.
    if (metadata !== undefined) Object.assign(packet, { metadata });
    try {
      const payload: unknown = serializer.serialize(packet);
      if (payload instanceof Promise) payload.catch(() => undefined);
      return payload;
    } catch (cause) {
      if (isA(cause, MessageEncodingError)) throw cause;
      const reason = text.serializerFailed(thrownText(cause));
      throw new MessageEncodingError(this.stream, reason, { cause });
    }
  }
}
