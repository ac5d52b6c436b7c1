import type { ConsumedStream } from './consumed-stream.js';
import type { StreamFlow } from './stream-flow.js';

/** A stream that this consumer follows. */
export interface FollowedStream extends Pick<ConsumedStream, 'isNamed' | 'wildcards'> {
  readonly flow: StreamFlow;
}

/** Streams that are read. */
export type ReadFlows = Pick<FlowSet, 'present' | 'find' | 'isPresent'>;

/** The streams of a consumer: those that are read, and those that vanished while something of them was in hand. */
export class FlowSet {
  private readonly byKey = new Map<string, FollowedStream>();
  private readonly absent = new Set<FollowedStream>();
  private read: ReadonlySet<StreamFlow> = new Set();
  private readInOrder: readonly StreamFlow[] = [];
  private readTogether: readonly StreamFlow[] = [];

  /** Those that are read. */
  get present(): readonly StreamFlow[] {
    return this.readInOrder;
  }

  /** Of those that are read, the ones that all members of the group read together. */
  get shared(): readonly StreamFlow[] {
    return this.readTogether;
  }

  /** Those whose messages may be in hand. */
  get all(): readonly StreamFlow[] {
    return this.followed.map(({ flow }) => flow);
  }

  get followed(): readonly FollowedStream[] {
    return [...this.byKey.values()];
  }

  /** Those that are not read, since they are not there. */
  get vanished(): readonly FollowedStream[] {
    return [...this.absent];
  }

  /** Some of those that are read. */
  part(isOfIt: (flow: StreamFlow) => boolean): ReadFlows {
    let all: readonly StreamFlow[] = [];
    let some: readonly StreamFlow[] = [];
    const present = (): readonly StreamFlow[] => {
      if (all !== this.readInOrder) {
        all = this.readInOrder;
        some = all.filter(isOfIt);
      }
      return some;
    };
    return {
      get present() {
        return present();
      },
      find: (streamKey) => this.find(streamKey),
      isPresent: (flow) => this.isPresent(flow),
    };
  }

  find(streamKey: string): FollowedStream | undefined {
    return this.byKey.get(streamKey);
  }

  isPresent(flow: StreamFlow): boolean {
    return this.read.has(flow);
  }

  /** It is read from now on. */
  include(followed: FollowedStream): void {
    this.byKey.set(followed.flow.keys.stream, followed);
    this.absent.delete(followed);
    this.changed();
  }

  /** It is not there: it is not read until it is included again. */
  leaveOut(followed: FollowedStream): void {
    this.absent.add(followed);
    this.changed();
  }

  /** Nothing of it is in hand: should it be there again, it is a new one. */
  forget(followed: FollowedStream): void {
    this.byKey.delete(followed.flow.keys.stream);
    this.absent.delete(followed);
    this.changed();
  }

  private changed(): void {
    this.readInOrder = this.followed
      .filter((followed) => !this.absent.has(followed))
      .map(({ flow }) => flow);
    this.read = new Set(this.readInOrder);
    this.readTogether = this.readInOrder.filter(({ isOwned }) => !isOwned);
  }
}
