import type { ConsumerDeserializer } from '@nestjs/microservices';
import type { Codec } from '../wire/codec.js';
import type { RedisStreamsClientOptions } from './client-options.js';
import type { ConnectionOption } from './connection-option.js';
import type { StreamOptions } from './stream-options.js';
import type { SubscriptionOptions } from './subscription-options.js';

/** When another member of the group takes over what a consumer has read. */
export interface RecoveryOptions {
  /**
   * How long a lease lasts, in ms, 1000 to 2_147_483_647. Shorter brings the messages of a consumer that died back sooner;
   * it must be longer than any pause of the event loop.
   *
   * @default 60_000
   */
  minIdleMs?: number;
  /**
   * How often a member looks for entries to take over, and reports that it is alive, in ms, 100 to 2_147_483_647; also at start and
   * after a reconnect. It counts as alive for four times as long, and for at least 5 000 ms.
   *
   * @default 15_000
   */
  intervalMs?: number;
}

/** How often the scheduled jobs run. */
export interface MaintenanceOptions {
  /**
   * Between two runs that purge and pack the ledgers, in ms, 1000 to 2_147_483_647. Message IDs added since the last run take
   * about 140 bytes each, five times what they take packed.
   *
   * @default 300_000
   */
  ledgerIntervalMs?: number;
  /**
   * Between two trims of the streams that have a `retention`, in ms, 1000 to 2_147_483_647.
   *
   * @default 300_000
   */
  retentionIntervalMs?: number;
  /**
   * Between two searches for idle consumers, in ms, 1000 to 2_147_483_647.
   *
   * @default 300_000
   */
  consumersIntervalMs?: number;
  /**
   * How long a consumer without pending entries has to be idle before it is removed from its group, in ms, 1000 or
   * more; longer than `blockMs`.
   *
   * @default 3_600_000
   */
  consumerIdleMs?: number;
}

/** How a server shuts down. */
export interface ShutdownOptions {
  /**
   * How long running handlers may go on after the app started to close, in ms, 0 to 2_147_483_647. After that their signal
   * is aborted, and their messages stay pending.
   *
   * @default 10_000
   */
  drainTimeoutMs?: number;
}

/** Options of `ServerRedisStreams`. Each pattern can override those of {@link SubscriptionOptions}. */
export interface RedisStreamsServerOptions extends SubscriptionOptions {
  /** @default 'redis://127.0.0.1:6379' */
  connection?: ConnectionOption;
  /**
   * The name of this server, in an app with several: handlers with `streamsTransport(name)` are for it. 1 to 64 letters, digits,
   * `_`, `.` and `-`. Of the module, `forRoot()` and `forRootAsync()` take it.
   *
   * @default none: handlers with `REDIS_STREAMS`, and those without a transport, are for it
   */
  name?: string | undefined;
  /** The consumer group: one name for each service. Groups each get every message, members of one share them. */
  group: string;
  /**
   * The name of this instance in its group; must differ between instances that run at the same time. Set it if
   * instances have lasting names (a StatefulSet), so that an instance that restarts takes up its own pending entries.
   *
   * @default `group.host.pid.random`
   */
  consumer?: string;
  /**
   * Put before every stream's name in Redis, so that several environments can share one.
   *
   * @default ''
   */
  keyPrefix?: string;
  /**
   * How long one blocking read waits in Redis, in ms, 100 to 2_147_483_647. It is ended early on shutdown; there is seldom a
   * reason to change it, but a proxy that cuts silent connections is one.
   *
   * @default 5_000
   */
  blockMs?: number;
  /**
   * How often to look for new streams that match a wildcard, in ms, 100 to 2_147_483_647. Shorter finds them sooner, and scans the
   * keys of Redis more often; without wildcards nothing is scanned.
   *
   * @default 5_000
   */
  discoveryIntervalMs?: number;
  /**
   * How entries are read as messages: an instance of `JsonCodec`, `WatermillCodec`, `FieldCodec`, or of a class of your own
   * with their two methods. Set it if other programs write the streams; for one stream, in `streams`.
   *
   * @default new JsonCodec()
   */
  codec?: Codec;
  /**
   * Nest's option: given the payload that the codec has read and `{ channel }`, the stream's name, it makes a packet, whose
   * `data` the handlers get. It must be synchronous. If it throws, the message becomes a dead letter.
   *
   * @default none: the data is the payload
   */
  deserializer?: ConsumerDeserializer;
  recovery?: RecoveryOptions;
  /**
   * Options of streams, by full name or by wildcard, such as `'orders.*'`. For each option the most specific key that sets
   * it applies: the stream's name, else the wildcard with the most characters that are not `*`, else the one listed first.
   * `partitions` need a full name. A server uses their `retention`, and renews their `ttlMs`.
   *
   * @default {}
   */
  streams?: Record<string, StreamOptions>;
  maintenance?: MaintenanceOptions;
  shutdown?: ShutdownOptions;
}

/** Options of `RedisStreamsModule`: those of its server and those of its client. */
export interface RedisStreamsModuleOptions
  extends Omit<RedisStreamsServerOptions, 'name'>, RedisStreamsClientOptions {
  /**
   * Options of streams, by full name or by wildcard, such as `'orders.*'`. For each option the most specific key that sets
   * it applies: the stream's name, else the wildcard with the most characters that are not `*`, else the one listed first.
   * `partitions` need a full name.
   *
   * @default {}
   */
  streams?: Record<string, StreamOptions>;
}
