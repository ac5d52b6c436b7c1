import type { ResolvedClientOptions, ResolvedServerOptions } from '../options/resolved-options.js';
import type { StreamLimitsKnown } from './inspect-streams.js';

/** What this app's options remove of `stream`: by retention, and by what they drop at publishing. */
export function limitsKnown(
  {
    server,
    client,
  }: {
    readonly server: Pick<ResolvedServerOptions, 'retention'>;
    readonly client: Pick<ResolvedClientOptions, 'limits'>;
  },
  stream: string,
): StreamLimitsKnown {
  const retention = server.retention.get(stream);
  const lengths = [retention?.maxLength, client.limits.get(stream)?.maxLength];
  const set = lengths.filter((length) => length !== undefined);
  return {
    maxAgeMs: retention?.maxAgeMs,
    maxLength: set.length === 0 ? undefined : Math.min(...set),
  };
}
