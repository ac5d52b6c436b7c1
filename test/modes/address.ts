import type { Redis } from 'ioredis';
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis-5';

import type { ConnectionOption } from '../../lib/index.js';

/** The addresses of the servers as text, so that they can be passed to a program. */
export type Address =
  | { readonly url: string }
  | {
      readonly cluster: { host: string; port: number }[];
      /** Another address for the one that a node announces. */
      readonly natMap?: Record<string, { host: string; port: number }>;
    };

/** A `connection`, and how to close it if it is the caller's. */
export interface MadeConnection {
  readonly connection: ConnectionOption;
  readonly end?: () => void;
}

/** As most users connect. */
export function plainly(address: Address): MadeConnection {
  if ('url' in address) return { connection: address.url };
  const { cluster, natMap } = address;
  return { connection: { cluster, ...(natMap === undefined ? {} : { options: { natMap } }) } };
}

/** With this version of Redis's protocol for replies. */
export const speaking =
  (protocol: 2 | 3) =>
  (address: Address): MadeConnection => {
    if ('url' in address) return { connection: { url: address.url, protocol } };
    const { cluster, natMap } = address;
    const options = { redisOptions: { protocol }, ...(natMap === undefined ? {} : { natMap }) };
    return { connection: { cluster, options } };
  };

/** An instance created by the app, with the older version of the library. */
export function byIoredis5(address: Address): MadeConnection {
  const connection =
    'url' in address
      ? new Redis5(address.url, { maxRetriesPerRequest: null })
      : new Cluster5(
          address.cluster,
          address.natMap === undefined ? {} : { natMap: address.natMap },
        );
  connection.on('error', () => undefined);
  // Its types are those of another version; only its behaviour is tested here.
  return { connection: connection as unknown as Redis, end: () => connection.disconnect() };
}
