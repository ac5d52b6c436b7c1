import type { RedisStreamsContext } from '../../lib/index.js';

/** A message with a key in tests: its number within its key. */
export interface Keyed {
  readonly key: string;
  readonly n: number;
}

/** What ran, in order, and what ran while another message with its key did. */
export class KeyedRuns {
  readonly started: string[] = [];
  readonly handled: string[] = [];
  readonly together: string[] = [];
  readonly partitions = new Map<string, number | undefined>();
  /** The most that ran at the same time. */
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

  /** The handled messages of a key, in order. */
  of(key: string): number[] {
    const ofKey = this.handled.filter((each) => each.startsWith(`${key}:`));
    return ofKey.map((each) => Number(each.split(':')[1]));
  }
}

/** Entries with this many keys, `each` for every one, starting with number `from`. */
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
