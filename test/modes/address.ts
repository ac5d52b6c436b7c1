import type { Redis } from 'ioredis';
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis-5';

import type { ConnectionOption } from '../../lib/index.js';

/** Where the servers are, as text can say it, so that a program that is started can be told. */
export type Address =
  | { readonly url: string }
  | {
      readonly cluster: { host: string; port: number }[];
      /** Another address for that which a node says it has. */
      readonly natMap?: Record<string, { host: string; port: number }>;
    };

/** A `connection`, and how to end it where it is the caller's. */
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

/** With replies in this version of Redis's protocol. */
export const speaking =
  (protocol: 2 | 3) =>
  (address: Address): MadeConnection => {
    if ('url' in address) return { connection: { url: address.url, protocol } };
    const { cluster, natMap } = address;
    const options = { redisOptions: { protocol }, ...(natMap === undefined ? {} : { natMap }) };
    return { connection: { cluster, options } };
  };

/** An instance that the app has made, by the older version of the library. */
export function byIoredis5(address: Address): MadeConnection {
  const connection =
    'url' in address
      ? new Redis5(address.url, { maxRetriesPerRequest: null })
      : new Cluster5(
          address.cluster,
          address.natMap === undefined ? {} : { natMap: address.natMap },
        );
  connection.on('error', () => undefined);
  // Its types are those of another version; what it does is what is tried here.
  return { connection: connection as unknown as Redis, end: () => connection.disconnect() };
}
