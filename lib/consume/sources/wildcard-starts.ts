import type { Redis } from 'ioredis';
import { wildcardsKey } from '../../wire/stream-keys.js';
import type { StartFrom } from '../../options/subscription-options.js';
import { rememberWildcardsScript } from '../../redis/scripts/admin/remember-wildcards.script.js';

const GROUP_BEGINS: Record<string, string> = { latest: '$', beginning: '0' };
const ALL_OF_IT = '0';

/**
 * Since when a group reads the streams that its wildcards match. `startFrom: 'latest'` leaves out what was published before that.
 * What was published later is read, however late its stream is found, and even if no member ran meanwhile.
 */
export class KnownWildcards {
  private since: readonly string[];

  constructor(
    private readonly client: Redis,
    private readonly group: string,
    private readonly keyPrefix: string,
    readonly wildcards: readonly string[],
  ) {
    this.since = wildcards.map(() => '');
  }

  /** Asks what the group knows, and writes what we know: Redis may have been emptied meanwhile. */
  async remember(): Promise<void> {
    if (this.wildcards.length === 0) return;
    this.since = await rememberWildcardsScript.run(
      this.client,
      [wildcardsKey(this.group)],
      this.wildcards.flatMap((wildcard, n) => [this.keyPrefix + wildcard, this.since[n] ?? '']),
    );
  }

  /** All streams have their group: what is found from now on is new, and read from its beginning. */
  async looked(): Promise<void> {
    if (this.since.every((since) => since === ALL_OF_IT)) return;
    this.since = this.wildcards.map(() => ALL_OF_IT);
    await this.remember();
  }

  /** Where a new group begins in a stream that some of the wildcards match, as the `ensure-group` script takes it. */
  beginOf(startFrom: StartFrom, wildcards: readonly string[]): string {
    if (startFrom !== 'latest' || wildcards.length === 0)
      return GROUP_BEGINS[startFrom] ?? startFrom;
    const known = wildcards.map((wildcard) => this.since[this.wildcards.indexOf(wildcard)] ?? '');
    return known.includes(ALL_OF_IT) ? ALL_OF_IT : `<${Math.min(...known.map(Number))}`;
  }
}
