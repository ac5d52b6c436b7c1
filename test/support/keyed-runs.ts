import type { RedisStreamsContext } from '../../lib/index.js';

/** What a message with a key is in tests: the n-th of its key. */
export interface Keyed {
  readonly key: string;
  readonly n: number;
}

/** What ran, in order, and what ran beside another of its key. */
export class KeyedRuns {
  readonly started: string[] = [];
  readonly handled: string[] = [];
  readonly together: string[] = [];
  readonly partitions = new Map<string, number | undefined>();
  /** How many ran at the same time at the most. */
  most = 0;
  private readonly now = new Set<string>();

  constructor(
    private readonly work: (body: Keyed, context: RedisStreamsContext) => unknown = () => undefined,
  ) {}

  readonly handle = async (body: Keyed, context: RedisStreamsContext): Promise<void> => {
    const { key, n } = body;
    this.started.push(`${key}:${n}`);
    this.partitions.set(key, context.getPartition());
    if (this.now.has(key)) this.together.push(`${key}:${n}`);
    this.now.add(key);
    this.most = Math.max(this.most, this.now.size);
    try {
      await this.work(body, context);
      this.handled.push(`${key}:${n}`);
    } finally {
      this.now.delete(key);
    }
  };

  /** Which of a key were handled, in order. */
  of(key: string): number[] {
    const its = this.handled.filter((each) => each.startsWith(`${key}:`));
    return its.map((each) => Number(each.split(':')[1]));
  }
}

/** Entries of so many keys, `each` of every one, from number `from` on. */
export const keyedEntries = (
  keys: number,
  each: number,
  from = 0,
): { body: Keyed; key: string }[] =>
  Array.from({ length: each }, (_, at) =>
    Array.from({ length: keys }, (__, k) => ({
      body: { key: `k${k}`, n: from + at },
      key: `k${k}`,
    })),
  ).flat();

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
