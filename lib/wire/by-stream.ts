import { isWildcard, wildcardMatcher } from './stream-names.js';

interface WildcardValue<Value> {
  readonly wildcard: string;
  readonly matches: (stream: string) => boolean;
  readonly value: Value;
}

/**
 * The values of one option by stream. A key is a stream's full name or a wildcard, and the most specific key that matches a stream
 * applies: its name, else the wildcard with the most characters that are not `*`, else the one that was listed first.
 */
export class ByStream<Value> {
  private readonly named = new Map<string, Value>();
  private readonly matching: readonly WildcardValue<Value>[];

  constructor(values: Iterable<readonly [key: string, value: Value]> = []) {
    const matching: WildcardValue<Value>[] = [];
    for (const [key, value] of values) {
      if (!isWildcard(key)) this.named.set(key, value);
      else matching.push({ wildcard: key, matches: wildcardMatcher(key), value });
    }
    // Sorting keeps the order of equals.
    this.matching = matching.sort((a, b) => literalLength(b.wildcard) - literalLength(a.wildcard));
  }

  get(stream: string): Value | undefined {
    return this.named.get(stream) ?? this.match(stream)?.value;
  }

  /** The key whose value applies to a stream. */
  keyOf(stream: string): string | undefined {
    return this.named.has(stream) ? stream : this.match(stream)?.wildcard;
  }

  /** The streams that have a value of their own. */
  get names(): string[] {
    return [...this.named.keys()];
  }

  get wildcards(): string[] {
    return this.matching.map(({ wildcard }) => wildcard);
  }

  /** Each key with its value. */
  get entries(): (readonly [key: string, value: Value])[] {
    return [
      ...this.named,
      ...this.matching.map(({ wildcard, value }) => [wildcard, value] as const),
    ];
  }

  private match(stream: string): WildcardValue<Value> | undefined {
    return this.matching.length === 0
      ? undefined
      : this.matching.find(({ matches }) => matches(stream));
  }
}

const literalLength = (wildcard: string): number => wildcard.replaceAll('*', '').length;
