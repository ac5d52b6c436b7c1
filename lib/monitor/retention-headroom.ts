import type { ResolvedClientOptions, ResolvedServerOptions } from '../options/resolved-options.js';

/** What removes entries of a stream. */
export interface StreamLimits {
  readonly maxAgeMs: number | undefined;
  readonly maxLength: number | undefined;
}

/** The limits in this app's options: of retention, and of publishing. */
export function limitsOf(
  {
    server,
    client,
  }: {
    readonly server: Pick<ResolvedServerOptions, 'retention'>;
    readonly client: Pick<ResolvedClientOptions, 'limits'>;
  },
  stream: string,
): StreamLimits {
  const retention = server.retention.get(stream);
  const lengths = [retention?.maxLength, client.limits.maxLength.get(stream)];
  const set = lengths.filter((length) => length !== undefined);
  return {
    maxAgeMs: retention?.maxAgeMs,
    maxLength: set.length === 0 ? undefined : Math.min(...set),
  };
}

/** The limits of a stream, and what its group has not finished. */
interface HeadroomFacts extends StreamLimits {
  /** How many entries the stream has. */
  readonly length: number;
  /** The age of the oldest unfinished entry; undefined if all are finished. */
  readonly unfinishedAgeMs: number | undefined;
  /** Whether that is the stream's first entry. */
  readonly isFirst: boolean;
  readonly pending: number;
  readonly lag: number | undefined;
}

/** How far the oldest unfinished entry is from being removed, from 1 (far) to 0 (about to be); undefined if that is unknown. */
export function retentionHeadroom(facts: HeadroomFacts): number | undefined {
  const { maxAgeMs, maxLength, unfinishedAgeMs } = facts;
  if (unfinishedAgeMs === undefined) return undefined;
  const shares: number[] = [];
  if (maxAgeMs !== undefined) shares.push(1 - unfinishedAgeMs / maxAgeMs);
  const behind = entriesBehind(facts);
  if (maxLength !== undefined && behind !== undefined) shares.push(1 - behind / maxLength);
  return shares.length === 0 ? undefined : Math.max(0, Math.min(...shares));
}

/** How many entries follow the oldest unfinished one, itself included. Finished entries among them are not counted. */
function entriesBehind({ isFirst, length, pending, lag }: HeadroomFacts): number | undefined {
  if (isFirst) return length;
  return lag === undefined ? undefined : lag + pending;
}
