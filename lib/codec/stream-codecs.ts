import type { Codec } from './codec.js';

/** Which codec a stream's entries are written and read with. */
export class StreamCodecs {
  /**
   * @param base for every stream that has none of its own
   * @param own by the stream's name
   */
  constructor(
    private readonly base: Codec,
    private readonly own: ReadonlyMap<string, Codec> = new Map(),
  ) {}

  of(stream: string): Codec {
    return this.own.get(stream) ?? this.base;
  }
}
