import { afterEach } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  RedisStreamsRecordBuilder,
  type RedisStreamsServerOptions,
  type RetryOptions,
  ServerRedisStreams,
} from '../../lib/index.js';
import { placesOf } from '../../lib/wire/partitions.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { resolveModuleOptions } from '../../lib/options/resolve-options.js';
import { groupState } from '../support/group-state.js';
import { recordedLog } from '../support/recorded-log.js';
import { handlerOf, moduleOf } from '../support/streams-app.js';
import type {
  BrokerUnderTest,
  ConsumerOptions,
  ConsumerRequest,
  OpenConsumer,
  OpenPublisher,
  Promises,
  RecordedState,
} from './broker-under-test.js';
import { AT_LEAST_ONCE, type Configuration } from './configuration.js';
import type { ServersUnderTest } from './servers-under-test.js';

/** This package over real servers, as a {@link BrokerUnderTest}. Call it in a `describe`, before the servers run. */
export function redisStreamsBroker(
  configuration: Configuration,
  redis: ServersUnderTest,
): BrokerUnderTest {
  const opened = new Set<() => Promise<void>>();
  const servers = new Set<ServerRedisStreams>();
  afterEach(async () => {
    await Promise.all([...opened].map((close) => close()));
  });

  /** Closes once: after the test, if the test has not. */
  const closing = (close: () => Promise<void>): (() => Promise<void>) => {
    let closed: Promise<void> | undefined;
    const once = (): Promise<void> => (closed ??= close().finally(() => opened.delete(once)));
    opened.add(once);
    return once;
  };
  const openInstance = async (
    { group, streams, handle, options }: ConsumerRequest,
    instance: number,
  ): Promise<() => Promise<void>> => {
    const controllers = streams.map((stream) =>
      handlerOf(stream, (payload, context) =>
        handle({
          stream: context.getStream(),
          payload,
          headers: context.getHeaders(),
          messageId: context.getMessageId(),
          key: context.getKey(),
          attempt: context.getAttempt(),
          partition: context.getPartition(),
          instance,
          signal: context.getSignal(),
        }),
      ),
    );
    const { server } = resolveModuleOptions({
      connection: redis.connection,
      group,
      ...configuration.options,
      ...serverOptions(options),
    });
    const strategy = new ServerRedisStreams(inPartitions(server, configuration));
    const app = await NestFactory.createMicroservice(moduleOf([], { controllers }), {
      strategy,
      logger: recordedLog,
      abortOnError: false,
    });
    Logger.overrideLogger(recordedLog);
    servers.add(strategy);
    const close = closing(() => app.close().finally(() => servers.delete(strategy)));
    await app.listen();
    return close;
  };

  const places = (stream: string): string[] =>
    placesOf(stream, inEveryStream(configuration.partitions).get(stream));

  return {
    promises: { ...AT_LEAST_ONCE, ...configuration.promises, order: orderOf(configuration) },

    async openPublisher(): Promise<OpenPublisher> {
      const { client: resolved } = resolveModuleOptions({
        connection: redis.connection,
        group: 'none',
      });
      const client = new ClientRedisStreams(inPartitions(resolved, configuration));
      const close = closing(() => client.close());
      await client.connect();
      return {
        publish: ({ stream, payload, headers, messageId, key }) => {
          const record = new RedisStreamsRecordBuilder(payload);
          if (headers !== undefined) record.setHeaders(headers);
          if (messageId !== undefined) record.setMessageId(messageId);
          if (key !== undefined) record.setKey(key);
          return firstValueFrom(client.emit(stream, record.build()));
        },
        close,
      };
    },

    async openConsumer(request): Promise<OpenConsumer> {
      const { instances = 1 } = configuration;
      const closes = await Promise.all(
        Array.from({ length: instances }, (_, instance) => openInstance(request, instance)),
      );
      return { close: async () => void (await Promise.all(closes.map((close) => close()))) };
    },

    async state(stream, group) {
      const states = await Promise.all(places(stream).map((place) => stateOf(redis, place, group)));
      const sum = (of: Exclude<keyof RecordedState, 'running'>): number =>
        states.reduce((total, state) => total + state[of], 0);
      return {
        pending: sum('pending'),
        processed: sum('processed'),
        deadLetters: sum('deadLetters'),
        leases: sum('leases'),
        retries: sum('retries'),
        attempts: sum('attempts'),
        running: [...servers]
          .filter(({ options }) => options.group === group)
          .reduce((total, { consumer }) => total + (consumer?.unsettled ?? 0), 0),
      };
    },

    async members(stream, group) {
      const members = new Set<string>();
      for (const place of places(stream)) {
        const rows = (await redis.client.xinfo('CONSUMERS', place, group)) as unknown[][];
        for (const row of rows) members.add(String(row[row.indexOf('name') + 1]));
      }
      return [...members];
    },

    async deadLetters(stream, group) {
      const each = places(stream).map(async (place) => {
        const { deadLetters } = streamKeys('', place, group);
        const entries = await redis.client.xrange(deadLetters, '-', '+');
        return entries.map(([, fields]) => fields[fields.indexOf('id') + 1] ?? '');
      });
      return (await Promise.all(each)).flat();
    },

    restart: () => redis.restart(),
  };
}

const orderOf = ({ partitions, instances = 1 }: Configuration): Promises['order'] => {
  if (partitions !== undefined) return 'key';
  return instances > 1 ? 'none' : 'stream';
};

async function stateOf(
  redis: ServersUnderTest,
  stream: string,
  group: string,
): Promise<Omit<RecordedState, 'running'>> {
  const keys = streamKeys('', stream, group);
  const [inGroup, processed, deadLetters, leases, retries, attempts] = await Promise.all([
    groupState(redis.client, keys.stream, group),
    redis.client.zcard(keys.ledger),
    redis.client.xlen(keys.deadLetters),
    redis.client.hlen(keys.leases),
    redis.client.zcard(keys.retries),
    redis.client.hlen(keys.attempts),
  ]);
  const pending = inGroup?.pending ?? 0;
  return { pending, processed, deadLetters, leases, retries, attempts };
}

/**
 * The behaviours choose names for their streams as they go, so partitions are declared for every name, and
 * none is named in the options.
 */
const inPartitions = <Resolved extends { readonly partitions: ReadonlyMap<string, number> }>(
  resolved: Resolved,
  { partitions }: Configuration,
): Resolved => Object.assign(resolved, { partitions: inEveryStream(partitions) });

function inEveryStream(partitions: number | undefined): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  if (partitions === undefined) return counts;
  counts.get = (stream) => (stream.includes('{') ? undefined : partitions);
  counts.has = (stream) => counts.get(stream) !== undefined;
  return counts;
}

function serverOptions({
  drainTimeoutMs,
  retry,
  ...rest
}: ConsumerOptions = {}): Partial<RedisStreamsServerOptions> {
  return {
    ...rest,
    ...(drainTimeoutMs === undefined ? {} : { shutdown: { drainTimeoutMs } }),
    ...(retry === undefined ? {} : { retry: retryOptions(retry) }),
  };
}

const retryOptions = ({
  delayMs,
  ...rest
}: NonNullable<ConsumerOptions['retry']>): RetryOptions => ({
  ...rest,
  backoff: { type: 'fixed', delayMs, jitter: 0 },
});
