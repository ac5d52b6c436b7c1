import { placesOf } from '../wire/partitions.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import type { JobParts } from './job.js';

/** A stream in Redis, which may be a partition, and what was asked for it. */
type JobPlace<Its> = readonly [stream: string, its: Its];

/** Each stream, or each of its partitions: to a job they are streams like others. */
export const inPartitions = <Its>(
  { options: { partitions } }: Pick<JobParts, 'options'>,
  streams: Iterable<JobPlace<Its>>,
): JobPlace<Its>[] =>
  [...streams].flatMap(([stream, its]) =>
    placesOf(stream, partitions.get(stream)).map((place) => [place, its] as const),
  );

/** The same of what is subscribed to. */
export const subscribedPlaces = (parts: JobParts): JobPlace<ResolvedSubscription>[] =>
  inPartitions(
    parts,
    parts.subscriptions().map(({ stream, options }) => [stream, options] as const),
  );
