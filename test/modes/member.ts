import { Controller, Logger, type INestApplication, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';

import {
  RedisStreamsContext,
  RedisStreamsModule,
  ServerRedisStreams,
  StreamsMonitor,
  subscription,
  type RedisStreamsModuleOptions,
  type RetryOptions,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { recordedLog } from '../support/recorded-log.js';
import { type Address, plainly } from './address.js';
import type { Body } from './payload.js';
import { type Mode, recoveryOf } from './mode.js';

/** Where a member reads. */
export interface MemberPlace {
  readonly address: Address;
  readonly stream: string;
  readonly group: string;
}

/** What a member does with messages. */
export interface MemberWork {
  on(body: Body, context: RedisStreamsContext): unknown;
  /** For the second handler, if the mode has one. */
  onSecond?(body: Body): void;
  /** For the second stream, if the mode has one. */
  onSecondStream?(body: Body): void;
}

/** One running instance of a service in a mode. */
export interface Member {
  readonly app: INestApplication;
  readonly server: ServerRedisStreams;
  readonly monitor: StreamsMonitor;
  readonly consumer: string;
  close(): Promise<void>;
}

/** The name of the second stream. */
export const secondStreamOf = (stream: string): string => `${stream}-second`;

/** The options that a mode sets for its stream, the same for members, clients and `DeadLetters`. */
export const streamOptionsOf = ({ codec, partitions }: Mode, stream: string) => ({
  [stream]: {
    ...(codec === undefined ? {} : { codec: codec() }),
    ...(partitions === undefined ? {} : { partitions }),
  },
});

/** For all, so that a message fails permanently before long. */
const RETRY: RetryOptions = {
  maxAttempts: 3,
  backoff: { type: 'fixed', delayMs: 200, jitter: 0 },
};

/** Starts a member. @param more options of the behaviour, which override those of the mode */
export async function startMember(
  mode: Mode,
  { address, stream, group }: MemberPlace,
  work: MemberWork,
  more: SubscriptionOptions = {},
): Promise<Member> {
  const { connection, end } = (mode.connect ?? plainly)(address);
  const recovery = recoveryOf(mode);
  const options: RedisStreamsModuleOptions = {
    connection,
    group,
    keyPrefix: mode.keyPrefix ?? '',
    discoveryIntervalMs: 200,
    streams: streamOptionsOf(mode, stream),
    ...(recovery === undefined ? {} : { recovery }),
  };
  @Module({
    imports: [RedisStreamsModule.forRoot(options)],
    controllers: controllersOf(mode, stream, work, more),
  })
  class MemberModule {}

  Logger.overrideLogger(recordedLog);
  const app = await NestFactory.create(MemberModule, { logger: recordedLog, abortOnError: false });
  const server = app.get(ServerRedisStreams);
  app.connectMicroservice({ strategy: server }, { inheritAppConfig: true });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= app.close().finally(end));
  try {
    await app.startAllMicroservices();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    app,
    server,
    monitor: app.get(StreamsMonitor),
    consumer: server.options.consumer,
    close,
  };
}

function controllersOf(
  mode: Mode,
  stream: string,
  work: MemberWork,
  more: SubscriptionOptions,
): Type[] {
  const options: SubscriptionOptions = {
    startFrom: 'beginning',
    ...mode.subscription,
    ...more,
    retry: { ...RETRY, ...mode.subscription?.retry, ...more.retry },
  };
  const pattern = mode.pattern?.(stream) ?? stream;
  const extras = subscription(options);
  const decorated =
    mode.arrival?.replies === true
      ? MessagePattern(pattern, extras)
      : EventPattern<string>(pattern, extras);

  @Controller()
  class Handler {
    @decorated
    on(@Payload() body: Body, @Ctx() context: RedisStreamsContext): unknown {
      return work.on(body, context);
    }
  }
  const controllers: Type[] = [Handler];
  if (mode.secondHandler) {
    @Controller()
    class SecondHandler {
      @EventPattern<string>(pattern)
      on(@Payload() body: Body): void {
        work.onSecond?.(body);
      }
    }
    controllers.push(SecondHandler);
  }
  if (mode.secondStream) {
    @Controller()
    class SecondStream {
      @EventPattern<string>(secondStreamOf(stream), subscription(OPPOSITE))
      on(@Payload() body: Body): void {
        work.onSecondStream?.(body);
      }
    }
    controllers.push(SecondStream);
  }
  return controllers;
}

const OPPOSITE: SubscriptionOptions = {
  startFrom: 'beginning',
  delivery: 'at-most-once',
  concurrency: 8,
  batchSize: 7,
  dedup: { windowMs: 60_000 },
  retry: { maxAttempts: 1 },
  handlerTimeoutMs: 60_000,
};
