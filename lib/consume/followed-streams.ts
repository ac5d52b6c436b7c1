import type { Pipeline } from './pipeline.js';
import { StreamPlace } from './stream-place.js';

/** A stream, or a partition of one, whose group this consumer looks after. */
export class FollowedStream extends StreamPlace {
  private current: Pipeline | undefined;
  private hasBeenRead = false;

  /** What takes its messages; undefined while another member owns the partition. */
  get pipeline(): Pipeline | undefined {
    return this.current;
  }

  /** Whether this consumer has read it at some time, so that its group knows the consumer. */
  get wasRead(): boolean {
    return this.hasBeenRead;
  }

  begin(pipeline: Pipeline): void {
    this.current = pipeline;
    this.hasBeenRead = true;
  }

  /** The turn of a partition's pipeline is over, unless another one has begun. */
  end(pipeline: Pipeline): void {
    if (this.current === pipeline) this.current = undefined;
  }
}

/** The streams that a reader reads: all of a consumer, or those of one hash slot. */
export interface ReadStreams {
  readonly reading: readonly Pipeline[];
  find(streamKey: string): Pipeline | undefined;
  isReading(pipeline: Pipeline): boolean;
}

/** The streams of a consumer: those that it reads, and those that vanished while some of their messages were in hand. */
export class FollowedStreams implements ReadStreams {
  private readonly byKey = new Map<string, FollowedStream>();
  private readonly absent = new Set<FollowedStream>();
  private readSet: ReadonlySet<Pipeline> = new Set();
  private read: readonly Pipeline[] = [];
  private readByAll: readonly Pipeline[] = [];

  /** The pipelines of the streams that are read. Another list after each change. */
  get reading(): readonly Pipeline[] {
    return this.read;
  }

  /** Of these, the ones of streams that all members of the group read together: no partitions. */
  get shared(): readonly Pipeline[] {
    return this.readByAll;
  }

  /** All pipelines that may have messages in hand. */
  get pipelines(): readonly Pipeline[] {
    return this.all.flatMap(({ pipeline }) => pipeline ?? []);
  }

  get all(): readonly FollowedStream[] {
    return [...this.byKey.values()];
  }

  /** Those that do not exist, and are not read until they do. */
  get missing(): readonly FollowedStream[] {
    return [...this.absent];
  }

  /** Those of a hash slot. */
  within(isOfSlot: (streamKey: string) => boolean): ReadStreams {
    let all: readonly Pipeline[] = [];
    let some: readonly Pipeline[] = [];
    const reading = (): readonly Pipeline[] => {
      if (all !== this.read) {
        all = this.read;
        some = all.filter(({ keys }) => isOfSlot(keys.stream));
      }
      return some;
    };
    return {
      get reading() {
        return reading();
      },
      find: (streamKey) => this.find(streamKey),
      isReading: (pipeline) => this.isReading(pipeline),
    };
  }

  get(streamKey: string): FollowedStream | undefined {
    return this.byKey.get(streamKey);
  }

  find(streamKey: string): Pipeline | undefined {
    return this.byKey.get(streamKey)?.pipeline;
  }

  isReading(pipeline: Pipeline): boolean {
    return this.readSet.has(pipeline);
  }

  isMissing(followed: FollowedStream): boolean {
    return this.absent.has(followed) || !this.byKey.has(followed.keys.stream);
  }

  /** It exists, and is read if it has a pipeline. */
  include(followed: FollowedStream): void {
    this.byKey.set(followed.keys.stream, followed);
    this.absent.delete(followed);
    this.changed();
  }

  /** It does not exist: it is not read until it is included again. */
  leaveOut(followed: FollowedStream): void {
    this.absent.add(followed);
    this.changed();
  }

  /** Redis refuses it: it is neither read nor started until it is put back. */
  setAside(followed: FollowedStream): void {
    followed.isSetAside = true;
    this.changed();
  }

  putBack(followed: FollowedStream): void {
    followed.isSetAside = false;
    this.changed();
  }

  /** Nothing of it is in hand: if it exists again, it is a new one. */
  forget(followed: FollowedStream): void {
    this.byKey.delete(followed.keys.stream);
    this.absent.delete(followed);
    this.changed();
  }

  private changed(): void {
    const present = this.all.filter(
      (followed) => !this.absent.has(followed) && !followed.isSetAside,
    );
    this.read = present.flatMap(({ pipeline }) => pipeline ?? []);
    this.readSet = new Set(this.read);
    this.readByAll = present.flatMap(({ pipeline, partition }) =>
      pipeline === undefined || partition !== undefined ? [] : pipeline,
    );
  }
}
