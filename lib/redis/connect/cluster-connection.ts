import { Cluster, type ClusterOptions, type Redis } from 'ioredis';
import type {
  ClusterConnectionOptions,
  ConnectionRole,
  LegacyOptions,
} from '../../options/connection-option.js';
import { AskingCluster } from './asking-cluster.js';
import { keepHealthy } from './connection-health.js';
import { namingKeys } from '../server/missing-right.js';
import { defaultOptions, MADE_HERE, neededOptions } from './role-options.js';

/** Scripts can be sent twice, so they wait for another node. Reads and publishes are told at once. */
const BY_ROLE: Record<ConnectionRole, ClusterOptions> = {
  commands: { retryDelayOnFailover: 100 },
  blocking: { retryDelayOnFailover: 0 },
  publish: { retryDelayOnFailover: 0 },
  operator: { retryDelayOnFailover: 0 },
};

/**
 * A cluster for `role`, not opened yet.
 *
 * @param name shown by `CLIENT LIST`
 */
export function makeCluster(
  { cluster: nodes, options = {}, credentials }: ClusterConnectionOptions,
  role: ConnectionRole,
  name: string,
): Cluster {
  const { protocol, retryStrategy, reconnectOnError } = defaultOptions(true);
  const its = {
    clusterRetryStrategy: retryStrategy ?? null,
    ...options,
    ...clusterNeeds(role),
    lazyConnect: true,
    redisOptions: {
      protocol: protocol ?? 2,
      ...options.redisOptions,
      ...MADE_HERE,
      ...nodeNeeds(role, name),
      reconnectOnError: namingKeys(options.redisOptions?.reconnectOnError ?? reconnectOnError),
    },
  };
  return credentials === undefined
    ? new Cluster(nodes, its)
    : new AskingCluster(nodes, its, credentials);
}

/** What has to be so for a cluster, whatever else is set. */
export const clusterNeeds = (role: ConnectionRole): ClusterOptions => ({
  ...BY_ROLE[role],
  enableAutoPipelining: false,
  enableOfflineQueue: true,
  // What replicas know may be old.
  scaleReads: 'master',
  // A node that is gone is looked for under its new address, not under the old one for ever.
  clusterNodeRetryStrategy: () => null,
});

/** The same for each connection to a node. Such a one ends where it drops, and another is made. */
export function nodeNeeds(role: ConnectionRole, name: string): LegacyOptions {
  const { enableOfflineQueue: _, ...needs } = neededOptions(role, name);
  return needs;
}

/** Sees to the connections to the nodes: to each that is there, and to those that will be made. */
export function followNodes(
  cluster: Cluster,
  intervalMs: number | false,
  answerMs: number,
  onError: (error: unknown) => void,
): void {
  cluster.on('error', onError);
  cluster.on('node error', onError);
  if (intervalMs === false) return;
  cluster.on('+node', (node: Redis) => keepHealthy(node, intervalMs, answerMs));
}
