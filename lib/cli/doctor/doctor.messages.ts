import { spanText } from '../output/age.js';
import { counted } from '../output/counted.js';
import type { RightsUse } from './needed-rights.js';

export const SERVER_TODO =
  'Use Redis 6.2 or newer, or Valkey 7.2 or newer, with all of its commands.';

export const REPLICA_TODO = 'Connect to the primary, or wait for the failover to end.';

export const EVICTION_TODO =
  'CONFIG SET maxmemory-policy noeviction, and in redis.conf; give Redis memory enough, and trim streams by retention.';

const USES: Readonly<Record<RightsUse, string>> = {
  later: 'Only services that publish for later need that',
  requests: 'Only services that ask and answer (send()) need that',
  wildcards: 'Only services with wildcards need that',
};

const usedFor = (use: RightsUse | undefined): string => (use === undefined ? '' : `. ${USES[use]}`);

export const noRights = (
  user: string,
  commands: readonly string[],
  use: RightsUse | undefined,
): string => `User "${user}" may not run: ${commands.join(', ')}${usedFor(use)}`;

export const rightsTodo = (user: string, commands: readonly string[]): string =>
  `ACL SETUSER ${user} ${commands.map((command) => `+${command.toLowerCase()}`).join(' ')}`;

export const noKeys = (
  user: string,
  keys: readonly string[],
  more: number,
  use: RightsUse | undefined,
): string =>
  `User "${user}" may not use ${keys.join(', ')}${more === 0 ? '' : ` and ${more} more keys`}${usedFor(use)}`;

export const keysTodo = (user: string): string =>
  `ACL SETUSER ${user} with "~" for the streams and for "stream:*"`;

export const noConsumers = (
  group: string,
  waiting: string,
  hasMembers: boolean,
  isKnown: boolean,
): string =>
  `Group "${group}" has no consumer${hasMembers ? ' that is alive' : ''}; ${waiting}${
    isKnown
      ? ''
      : '. That is judged by what Redis lists: no member says of itself whether it is alive, as other programs and older versions of this package never do'
  }`;

/** @param byGroup of each group its living members, counted by version */
export const alive = (
  byGroup: readonly (readonly [group: string, counts: ReadonlyMap<string, number>])[],
): string => {
  const groups = byGroup.map(([group, counts]) => {
    const each = [...counts].map(([version, count]) => `${count} of version ${version}`);
    return `"${group}" ${each.join(' and ')}`;
  });
  return `Members alive: ${groups.join('; ')}.`;
};

export const waiting = (lag: number | undefined, pending: number): string =>
  [
    lag === undefined ? 'entries may wait unread' : lag === 0 ? '' : `${lag} entries wait unread`,
    pending === 0 ? '' : `${pending} are pending`,
  ]
    .filter((part) => part !== '')
    .join(', ') || 'nothing waits for it now';

export const noConsumersTodo = (key: string, group: string, isKnown: boolean): string =>
  `Start its service. Where it will not come back${
    isKnown ? '' : ', and you know that nothing else reads with this group'
  }: XGROUP DESTROY ${key} ${group}; until then retention keeps all that it has not finished.`;

export const gone = (consumer: string, idleMs: number, pending: number): string =>
  `Consumer "${consumer}" has not asked for anything for ${spanText(idleMs)}${
    pending === 0 ? '' : ` and has ${pending} pending`
  }`;

export const GONE_PENDING_TODO =
  'A member that runs takes its entries over after recovery.minIdleMs (a minute unless set). Where one runs and this stays, look into its log.';

export const GONE_IDLE_TODO =
  'IdleConsumersJob removes it after maintenance.consumerIdleMs (an hour unless set): it seems not to run. Use RedisStreamsModule in the service, or run the job by hand.';

export const tooOld = (ageMs: number, limitMs: number, given: boolean): string =>
  `Its oldest entry is ${spanText(ageMs)} old, which all groups have finished${
    given ? `; --max-age is ${spanText(limitMs)}` : ': nothing seems to trim it'
  }`;

export const tooLong = (length: number, limit: number, given: boolean): string =>
  `It has ${length} entries${given ? `; --max-length is ${limit}` : ', and nothing seems to trim it'}`;

export const retentionTodo = (stream: string): string =>
  `Set streams: { '${stream}': { retention: { maxAgeMs } } } in a service that runs; for now: nest-streams trim ${stream} --max-age 7d --dry-run`;

export const nearAge = (group: string, entryId: string, ageMs: number, limitMs: number): string =>
  `Group "${group}" has not finished entry ${entryId}, which is ${spanText(ageMs)} old; --max-age is ${spanText(limitMs)}`;

export const nearLength = (group: string, unfinished: number, limit: number): string =>
  `Group "${group}" has ${unfinished} entries to finish; --max-length is ${limit}`;

export const NEAR_TODO =
  'Start more members, or raise concurrency. Retention waits for them unless it is forced; maxLength at publishing and ttlMs do not.';

export const expires = (group: string, inMs: number): string =>
  `It expires in ${spanText(inMs)} (ttlMs), and group "${group}" has not finished with it`;

export const EXPIRES_TODO =
  'Publish to it, which puts it off, or take ttlMs out of the options; PERSIST holds it until the next message.';

export const NOTHING_FOUND = 'Nothing found.';

export const looked = (streams: number, groups: number, server: string): string =>
  `${server}; looked at ${counted(streams, 'stream')} and ${counted(groups, 'group')}.`;

export const RIGHTS_UNKNOWN = 'rights of this user (it may not run MULTI)';

export const RETENTION_UNKNOWN =
  'how near unread entries are to being trimmed (say your retention with --max-age or --max-length)';

export const notLookedAt = (what: readonly string[]): string => `Not known: ${what.join('; ')}.`;

export const UNKNOWN_SERVER = 'A server that does not say its version';

export const found = (count: number): string => `${counted(count, 'finding')}.`;

export const notLookedInto = (stream: string): string =>
  `stream "${stream}" (this user may not look into it)`;

export const outsidePartitions = (stream: string, count: number): string =>
  `Stream "${stream}" has ${count} partitions, and entries outside them, which their readers do not read`;

export const beyondPartitions = (stream: string, partition: number, count: number): string =>
  `Stream "${stream}" has ${count} partitions: what waits in number ${partition} is from when it had more, or from somebody who publishes with more`;

export const PARTITIONS_TODO =
  'Set the same streams[name].partitions in all services. docs/partitions.md says how to have what waits there handled.';
