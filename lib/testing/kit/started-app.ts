import type { INestApplication, INestMicroservice } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionOption } from '../../options/connection-option.js';
import type { OpenedConnection } from '../../redis/connect/opened-connection.js';
import { startRedis } from '../redis/start-redis.js';
import { StreamsTestingError } from './message-history.js';
import * as text from './testing-kit.messages.js';

/** Test runners usually give a hook five seconds. */
const CONNECT_MS = 4_000;

/** An app that listens, and how it ends. */
export class StartedApp {
  private readonly ending = new AbortController();
  private closing: Promise<void> | undefined;

  constructor(
    readonly app: INestApplication | INestMicroservice,
    private readonly leave: () => Promise<void>,
  ) {
    // Any number of waits may listen to it.
    setMaxListeners(0, this.closed);
  }

  /** Aborted when it closes. */
  get closed(): AbortSignal {
    return this.ending.signal;
  }

  close(): Promise<void> {
    this.ending.abort();
    this.closing ??= this.leave();
    return this.closing;
  }
}

/** Runs all steps in order, even if some fail, and throws the first error at the end. */
export async function runAll(steps: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

/** Waits for the connection, but not forever: a test should fail if there is no Redis. */
export async function readyInTime(opened: OpenedConnection): Promise<Redis> {
  const timeUp = new AbortController();
  const late = delay(CONNECT_MS, undefined, { signal: timeUp.signal }).then(() => {
    throw new StreamsTestingError(text.NO_REDIS);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([opened.ready(), late]);
  } finally {
    timeUp.abort();
  }
}

/** Starts a Redis that ends with the app. */
export async function redisFor(undo: (() => unknown)[]): Promise<ConnectionOption> {
  const redis = await startRedis();
  undo.push(() => redis.stop());
  return redis.url;
}
