import type { Codec } from './codec.js';
import { type NestSerialization, SerializingCodec } from './serializing.codec.js';

/** Which codec a stream's entries are written and read with. */
export class StreamCodecs {
  private readonly serializing = new Map<string, Codec>();

  /**
   * @param base for every stream that has none of its own
   * @param own by the stream's name
   * @param nest what comes before and behind each of them
   */
  constructor(
    private readonly base: Codec,
    private readonly own: ReadonlyMap<string, Codec> = new Map(),
    private readonly nest: NestSerialization = {},
  ) {}

  of(stream: string): Codec {
    const codec = this.plain(stream);
    const { serializer, deserializer } = this.nest;
    if (serializer === undefined && deserializer === undefined) return codec;
    let its = this.serializing.get(stream);
    if (its === undefined) {
      its = new SerializingCodec(codec, stream, this.nest);
      this.serializing.set(stream, its);
    }
    return its;
  }

  /** The codec alone, without what Nest's options put before and behind it: replies are written so. */
  plain(stream: string): Codec {
    return this.own.get(stream) ?? this.base;
  }
}
