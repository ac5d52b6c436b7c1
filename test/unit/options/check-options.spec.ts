import { describe, expect, it } from '@jest/globals';
import { type } from 'arktype';
import { Cluster, Redis } from 'ioredis';
import * as v from 'valibot';
import { z } from 'zod';

import {
  ClientRedisStreams,
  DeadLetters,
  InvalidOptionsError,
  JsonCodec,
  RedisStreamsError,
  RedisStreamsModule,
  ServerRedisStreams,
  subscription,
  type DeadLettersOptions,
  type RedisStreamsClientOptions,
  type RedisStreamsModuleOptions,
  type RedisStreamsServerOptions,
  type SubscriptionOptions,
} from '../../../lib/index.js';
import { resolveModuleOptions } from '../../../lib/options/resolve-options.js';

// What does not compile arrives all the same: from JavaScript, and from configuration.
const server = (options: unknown) => new ServerRedisStreams(options as RedisStreamsServerOptions);
const client = (options: unknown) => new ClientRedisStreams(options as RedisStreamsClientOptions);
const moduleOf = (options: unknown) => resolveModuleOptions(options as RedisStreamsModuleOptions);
const deadLetters = (options: unknown) => new DeadLetters(options as DeadLettersOptions);
const pattern = (options: unknown) => subscription(options as SubscriptionOptions);

/** Sets one option, by its path, in options that are fine otherwise. */
function withOption(path: string, value: unknown): Record<string, unknown> {
  const options: Record<string, unknown> = { group: 'billing' };
  const keys = path.split('.');
  keys.reduce<Record<string, unknown>>((at, key, index) => {
    const next = index === keys.length - 1 ? value : {};
    at[key] = next;
    return next as Record<string, unknown>;
  }, options);
  return options;
}

function refused(action: () => unknown): InvalidOptionsError {
  try {
    action();
  } catch (error) {
    if (error instanceof InvalidOptionsError) return error;
    throw error;
  }
  throw new Error('the options were taken');
}

describe('what is allowed', () => {
  it.each<[string, unknown]>([
    ['connection', 'redis://user:secret@redis:6379/0'],
    ['connection', 'rediss://redis'],
    ['connection', { host: 'redis', password: 'secret' }],
    ['connection', { sentinels: [{ host: 's1', port: 26379 }], name: 'main' }],
    ['connection', { url: 'rediss://redis', tls: { ca: 'x' }, credentials: () => 1 }],
    ['connection', { host: 'redis', port: '6379', db: '3', password: undefined }],
    ['connection', { host: 'redis', tls: true, noDelay: true, somethingOfIoredis7: 1 }],
    ['connection', { host: 'redis', healthCheckIntervalMs: 100 }],
    ['connection', { host: 'redis', healthCheckIntervalMs: false }],
    ['connection', () => new Redis({ lazyConnect: true })],
    ['connection', { cluster: [{ host: 'redis', port: 7000 }, 'rediss://redis:7001', 7002] }],
    ['connection', { cluster: [7000], options: { redisOptions: { password: 'secret' } } }],
    ['connection', { cluster: [7000], credentials: () => 1, healthCheckIntervalMs: false }],
    ['connection', new Cluster(['redis'], { lazyConnect: true })],
    ['consumer', 'billing-0'],
    ['keyPrefix', ''],
    ['keyPrefix', 'dev:'],
    ['keyPrefix', '{eu}:'],
    ['blockMs', 100],
    ['blockMs', 2_147_483_647],
    ['discoveryIntervalMs', 100],
    ['startFrom', 'latest'],
    ['startFrom', 'beginning'],
    ['startFrom', '1729768245123-0'],
    ['startFrom', '18446744073709551615-18446744073709551615'],
    ['batchSize', 1],
    ['batchSize', 1_000],
    ['readAheadBytes', 1],
    ['replyBufferBytes', 1],
    ['readAheadBytes', 1_073_741_824],
    ['concurrency', 1],
    ['concurrency', 10_000],
    ['delivery', 'at-least-once'],
    ['delivery', 'at-most-once'],
    ['dedup', false],
    ['dedup', {}],
    ['dedup.packed', true],
    ['dedup.packed', false],
    ['dedup.windowMs', 1],
    ['dedup.windowMs', 315_360_000_000],
    ['recovery', {}],
    ['recovery.minIdleMs', 1_000],
    ['streams', {}],
    ['streams.orders', {}],
    ['streams.orders.retention.maxAgeMs', 1],
    ['streams.orders.retention.maxLength', 1],
    ['streams.orders.retention', { maxLength: 1, maxAgeMs: 1, ignoreGroups: ['audit'] }],
    ['streams.orders.retention', { maxLength: 1, ignoreGroups: [], force: false }],
    ['streams.orders.retention', { maxLength: 1, force: true }],
    ['streams.{eu}:orders', {}],
    ['streams.orders', { maxLength: 1, force: true }],
    ['streams.orders', { ttlMs: 1, force: true }],
    ['streams.orders', { maxLength: 1, ttlMs: 1, force: true, retention: { maxAgeMs: 1 } }],
    ['streams.orders', { force: false }],
    ['maintenance', {}],
    ['maintenance.ledgerIntervalMs', 1_000],
    ['maintenance.retentionIntervalMs', 2_147_483_647],
    ['shutdown', {}],
    ['shutdown.drainTimeoutMs', 0],
  ])('%s: %j', (path, value) => {
    expect(() => server(withOption(path, value))).not.toThrow();
    expect(() => moduleOf(withOption(path, value))).not.toThrow();
  });

  it('an ioredis instance as connection', () => {
    const connection = new Redis({ lazyConnect: true });
    expect(() => server({ group: 'billing', connection })).not.toThrow();
    expect(server({ group: 'billing', connection }).options.connection).toBe(connection);
    expect(() => client({ connection })).not.toThrow();
  });

  it('no client options at all', () => {
    expect(() => new ClientRedisStreams()).not.toThrow();
    expect(() => client({ publishTimeoutMs: 1 })).not.toThrow();
    expect(() => client({ requestTimeoutMs: 1 })).not.toThrow();
    expect(() => moduleOf({ group: 'billing', requestTimeoutMs: 2_147_483_647 })).not.toThrow();
    for (const publishDedup of [false, {}, { windowMs: 1 }, { windowMs: 315_360_000_000 }]) {
      expect(() => client({ publishDedup })).not.toThrow();
      expect(() => moduleOf({ group: 'billing', publishDedup })).not.toThrow();
    }
    expect(() => subscription()).not.toThrow();
  });
});

describe('a value that is wrong', () => {
  it.each<[string, unknown, string]>([
    ['connection', 'http://redis', 'redis://'],
    ['connection', 'redis', 'redis://'],
    ['connection', 6379, 'redis://'],
    ['connection', ['redis'], 'redis://'],
    ['connection', null, 'redis://'],
    ['connection', { host: 'redis', keyPrefix: 'dev:' }, 'keyPrefix'],
    ['connection', 'redis://redis?keyPrefix=dev:', 'keyPrefix'],
    ['connection', 'redis://redis:port', 'redis://'],
    ['connection', 'redis://:100%@redis', 'redis://'],
    ['connection.cluster', [], 'one node or more'],
    ['connection.cluster', 'redis:7000', 'a list of nodes'],
    ['connection', { cluster: [7000], password: 'secret' }, 'and nothing else'],
    ['connection', { cluster: [7000], options: { keyPrefix: 'dev:' } }, 'keyPrefix'],
    [
      'connection',
      { cluster: [7000], options: { redisOptions: { keyPrefix: 'dev:' } } },
      'keyPrefix',
    ],
    [
      'connection',
      new Cluster(['redis'], { lazyConnect: true, scaleReads: 'slave' }),
      'no scaleReads',
    ],
    ['connection.host', 5, 'the name or the address of a host'],
    ['connection.host', '', 'the name or the address of a host'],
    ['connection.port', 70_000, 'a port, 0 to 65535'],
    ['connection.port', 'redis', 'a port, 0 to 65535'],
    ['connection.db', -1, 'the number of a database'],
    ['connection.password', 7, 'text'],
    ['connection.sentinels', [], 'one sentinel or more'],
    ['connection.hots', 'redis', 'nothing of this name; did you mean host?'],
    ['connection.maxRetriesPerRequests', 3, 'did you mean maxRetriesPerRequest?'],
    ['connection.url', { url: 'http://redis' }, 'redis://'],
    ['connection.credentials', { credentials: { password: 'x' } }, 'a function'],
    ['connection.healthCheckIntervalMs', { healthCheckIntervalMs: 99 }, '100 to 2147483647'],
    ['connection.healthCheckIntervalMs', { healthCheckIntervalMs: true }, 'false'],
    ['group', undefined, 'not empty'],
    ['group', '', 'not empty'],
    ['group', 7, 'not empty'],
    ['consumer', '', 'not empty'],
    ['consumer', {}, 'not empty'],
    ['keyPrefix', 7, 'braces only as a tag'],
    ['keyPrefix', 'a}', 'braces only as a tag'],
    ['keyPrefix', '{}', 'braces only as a tag'],
    ['blockMs', 99, '100 to 2147483647'],
    ['blockMs', 2_147_483_648, '100 to 2147483647'],
    ['blockMs', '5000', 'whole number of ms'],
    ['discoveryIntervalMs', 99, '100 to 2147483647'],
    ['discoveryIntervalMs', '5000', 'whole number of ms'],
    ['startFrom', 'oldest', "'latest', 'beginning'"],
    ['startFrom', '1729768245123', 'entry ID'],
    ['startFrom', 0, 'entry ID'],
    ['startFrom', '18446744073709551616-0', 'entry ID'],
    ['startFrom', `1-${'9'.repeat(21)}`, 'entry ID'],
    ['batchSize', 0, '1 to 1000'],
    ['batchSize', 1_001, '1 to 1000'],
    ['batchSize', 1.5, 'whole number'],
    ['readAheadBytes', 0, '1 to 1000000000000'],
    ['replyBufferBytes', 0, '1 to 1000000000000'],
    ['readAheadBytes', '64mb', 'whole number'],
    ['concurrency', 0, '1 to 10000'],
    ['concurrency', -1, '1 to 10000'],
    ['concurrency', Number.NaN, 'whole number'],
    ['concurrency', Number.POSITIVE_INFINITY, 'whole number'],
    ['delivery', 'exactly-once', "'at-least-once' or 'at-most-once'"],
    ['dedup', true, 'false, or { windowMs }'],
    ['dedup', 60_000, 'false, or { windowMs }'],
    ['dedup.packed', 1, 'true or false'],
    ['dedup.windowms', 1, 'did you mean windowMs? known here: windowMs, packed'],
    ['retry.backoff.delayMs', 'soon', 'a whole number of ms, 0 to 2147483647'],
    ['retry.backoff.jitter', 5, 'a number from 0 to 1'],
    ['retry.backoff.type', 'random', "'fixed', 'linear' or 'exponential'"],
    ['retry.backoff.delay', 5, 'did you mean delayMs?'],
    ['retry.backoff', 'fast', 'or a function'],
    ['retry.maxAttempt', 5, 'did you mean maxAttempts?'],
    ['concurency', 5, 'did you mean concurrency?'],
    ['recovery', 60_000, 'minIdleMs'],
    ['recovery.minIdleMs', 999, '1000 to'],
    ['recovery.minIdleMs', -1, '1000 to'],
    ['streams', [], 'stream name'],
    ['streams.orders', 7, 'retention'],
    ['streams.orders.retention', 7, 'maxAgeMs'],
    ['streams.orders.maxLength', 0, '1 to '],
    ['streams.orders.ttlMs', 0.5, 'whole number of ms'],
    ['streams.orders.partitions', 0, 'a whole number, 1 to 1024'],
    ['streams.orders.partitions', 1_025, 'a whole number, 1 to 1024'],
    ['streams.orders.partitions', '8', 'a whole number, 1 to 1024'],
    ['streams.orders.force', 'yes', 'true or false'],
    ['streams.orders.retention.maxAgeMs', 0, '1 to '],
    ['streams.orders.retention.maxAgeMs', -60_000, '1 to '],
    ['streams.orders.retention.maxLength', 0.5, 'whole number'],
    ['streams.orders.retention.ignoreGroups', 'audit', 'list of group names'],
    ['streams.orders.retention.force', 'yes', 'true or false'],
    ['maintenance', false, 'ledgerIntervalMs'],
    ['maintenance.ledgerIntervalMs', 999, '1000 to'],
    ['maintenance.retentionIntervalMs', -1, '1000 to'],
    ['shutdown', 10_000, 'drainTimeoutMs'],
    ['shutdown.drainTimeoutMs', -1, '0 to'],
  ])('%s: %p is refused, with its path and what is allowed', (path, value, allowed) => {
    for (const check of [server, moduleOf]) {
      const error = refused(() => check(withOption(path, value)));
      expect(error.path).toBe(path);
      expect(error.allowed).toContain(allowed);
      expect(error.message).toContain(`"${path}"`);
      expect(error.message).toContain(error.given);
    }
  });

  it.each<[string, object, string]>([
    ['connection.cluster.0', { cluster: ['redis:7000'] }, '{ host, port }'],
    ['connection.cluster.0.port', { cluster: [{ host: 'redis', port: 70_000 }] }, '65535'],
    ['connection.options', { cluster: [7000], options: 3 }, 'options of ioredis'],
    ['connection.credentials', { cluster: [7000], credentials: 'secret' }, 'a function'],
    ['connection.healthCheckIntervalMs', { cluster: [7000], healthCheckIntervalMs: 99 }, '100 to'],
  ])('%s of a cluster is refused: %p', (path, connection, allowed) => {
    const error = refused(() => server({ group: 'billing', connection }));
    expect(error.path).toBe(path);
    expect(error.allowed).toContain(allowed);
  });

  it.each<[unknown, string]>([
    [null, 'null'],
    [-5, '-5'],
    ['x', '"x"'],
    [[], 'a list'],
    [{}, 'an object'],
    [() => 1, 'a function'],
    ['x'.repeat(1_000), `"${'x'.repeat(59)}…`],
  ])('is told in short: %p', (batchSize, given) => {
    expect(refused(() => server({ group: 'billing', batchSize })).given).toBe(given);
  });

  it.each([0, -1, 0.5, 2_147_483_648, '30s', null])(
    'is refused where it is: requestTimeoutMs %p',
    (requestTimeoutMs) => {
      for (const refusal of [
        refused(() => client({ requestTimeoutMs })),
        refused(() => moduleOf({ group: 'billing', requestTimeoutMs })),
      ]) {
        expect(refusal.path).toBe('requestTimeoutMs');
        expect(refusal.allowed).toBe('a whole number of ms, 1 to 2147483647');
      }
    },
  );

  it.each([0, 0.5, 'a week'])('is refused where it is: dedup.windowMs %p', (windowMs) => {
    const error = refused(() => server({ group: 'billing', dedup: { windowMs } }));
    expect(error.path).toMatch(/^dedup/);
    expect(error.allowed).toContain('1 to ');
  });

  it.each([true, 60_000, { windowMs: 0 }, { windowMs: -1 }, { windowMs: '2m' }, null])(
    'is refused where it is: publishDedup %j',
    (publishDedup) => {
      for (const check of [client, moduleOf]) {
        const error = refused(() =>
          check({ ...(check === moduleOf && { group: 'a' }), publishDedup }),
        );
        expect(error.path).toMatch(/^publishDedup/);
        expect(error.allowed).toContain('1 to ');
      }
    },
  );

  it.each([0, -1, 1.5, '1 MiB', null, Number.POSITIVE_INFINITY])(
    'is refused where it is: maxPayloadBytes %p',
    (maxPayloadBytes) => {
      for (const options of [{}, { group: 'billing' }]) {
        const check = 'group' in options ? moduleOf : client;
        expect(refused(() => check({ ...options, maxPayloadBytes }))).toMatchObject({
          path: 'maxPayloadBytes',
          allowed: 'a whole number, 1 to 536870912',
        });
      }
    },
  );
  it.each([
    ['codec', {}],
    ['codec', JsonCodec],
    ['codec', 'json'],
    ['codec', null],
    ['streams.orders.codec', { encode: () => [] }],
  ])('is refused where it is no codec: %s %p', (path, codec) => {
    const options = path === 'codec' ? { codec } : { streams: { orders: { codec } } };
    for (const check of [server, client, moduleOf, deadLetters]) {
      const error = refused(() =>
        check({ ...((check === server || check === moduleOf) && { group: 'a' }), ...options }),
      );
      expect(error.path).toBe(path);
      expect(error.allowed).toContain('encode and decode');
    }
  });

  it.each([
    [{}],
    ['order'],
    [null],
    [z],
    [{ '~standard': { version: 2, validate: () => ({ value: 1 }) } }],
    [{ '~standard': { version: 1 } }],
    [{ validate: () => ({ value: 1 }) }],
  ])('is refused where it is no schema: %p', (schema) => {
    for (const check of [server, client, moduleOf, deadLetters]) {
      const error = refused(() =>
        check({ ...(check !== client && { group: 'a' }), streams: { orders: { schema } } }),
      );
      expect(error.path).toBe('streams.orders.schema');
      expect(error.allowed).toContain('a Standard Schema (version 1)');
    }
  });

  it.each([z.object({ id: z.string() }), v.object({ id: v.string() }), type({ id: 'string' })])(
    'is taken where it is a schema of zod, valibot, arktype: %#',
    (schema) => {
      const streams = { orders: { schema } };
      expect(() => moduleOf({ group: 'a', streams })).not.toThrow();
      expect(() => client({ streams })).not.toThrow();
      expect(() => deadLetters({ streams })).not.toThrow();
    },
  );

  it('is refused in the client alone where it is the server that needs it: retention', () => {
    const streams = { orders: { codec: new JsonCodec(), retention: { maxLength: 1 } } };
    expect(() => moduleOf({ group: 'a', streams })).not.toThrow();
    expect(refused(() => client({ streams })).path).toBe('streams.orders.retention');
  });

  it.each(['', 'a}b', '{}'])('is the name of a stream: %j', (stream) => {
    const error = refused(() => server({ group: 'billing', streams: { [stream]: {} } }));
    expect(error.path).toBe(stream === '' ? 'streams.' : `streams.${stream}`);
    expect(error.allowed).toContain('hash tag');
  });
});

describe('an option that there is not', () => {
  it.each([
    ['concurency', 'concurrency'],
    ['retention', 'streams'],
    ['publishTimeoutMs', 'blockMs'],
    ['recovery.minIdle', 'minIdleMs'],
    ['streams.orders.retentions', 'retention'],
    ['streams.orders.retention.maxAge', 'maxAgeMs'],
    ['maintenance.intervalMs', 'ledgerIntervalMs'],
    ['shutdown.timeoutMs', 'drainTimeoutMs'],
  ])('%s is refused, and told what there is', (path, known) => {
    const error = refused(() => server(withOption(path, 1)));
    expect(error.path).toBe(path);
    expect(error.allowed).toContain('nothing of this name');
    expect(error.allowed).toContain(known);
  });

  it('is a server option in the client, and a misspelt one of a pattern', () => {
    expect(refused(() => client({ group: 'billing' }))).toMatchObject({ path: 'group' });
    expect(refused(() => pattern({ group: 'billing' }))).toMatchObject({
      path: 'subscription.group',
    });
    expect(refused(() => pattern({ concurrency: 0 }))).toMatchObject({
      path: 'subscription.concurrency',
      given: '0',
    });
  });
});

describe('options that contradict one another', () => {
  it.each([
    [{}, 'maxAgeMs, maxLength, or both'],
    [{ ignoreGroups: ['audit'] }, 'maxAgeMs, maxLength, or both'],
    [{ maxLength: 1, force: true, ignoreGroups: ['audit'] }, 'either force: true'],
    [{ maxLength: 1, force: true, ignoreGroups: [] }, 'either force: true'],
  ])('retention %j', (retention, allowed) => {
    const error = refused(() => server(withOption('streams.orders.retention', retention)));
    expect(error.path).toBe('streams.orders.retention');
    expect(error.allowed).toContain(allowed);
  });
});

describe('a first wait that is longer than the longest', () => {
  it.each([[{ delayMs: 2, maxDelayMs: 1 }], [{ delayMs: 60_001 }]])('is refused: %j', (backoff) => {
    for (const take of [
      server,
      moduleOf,
      ({ retry }: Record<string, unknown>) => pattern({ retry }),
    ]) {
      const { path, allowed } = refused(() => take({ group: 'billing', retry: { backoff } }));
      expect(path).toMatch(/retry\.backoff\.delayMs$/);
      expect(allowed).toBe('at most maxDelayMs, which is 60000 unless it is set');
    }
  });

  it.each([[{ delayMs: 60_000 }], [{ delayMs: 90_000, maxDelayMs: 90_000 }], [{ maxDelayMs: 1 }]])(
    'is none: %j',
    (backoff) => {
      expect(() => pattern({ retry: { backoff } })).not.toThrow();
    },
  );
});

describe('limits at publishing', () => {
  it.each([
    { maxLength: 1 },
    { ttlMs: 1 },
    { maxLength: 1, force: false },
    { ttlMs: 1, retention: { maxLength: 1, force: true } },
    { force: true },
    { force: true, retention: { maxLength: 1 } },
  ])('%j: they and force: true go together', (limits) => {
    // Retention is nothing for a client alone.
    for (const check of 'retention' in limits ? [server, moduleOf] : [server, client, moduleOf]) {
      const options = withOption('streams.orders', limits);
      if (check === client) delete options['group'];
      const error = refused(() => check(options));
      expect(error.path).toBe('streams.orders.force');
      expect(error.allowed).toContain('maxLength');
    }
  });
});

describe('an error about options', () => {
  it('is one of this package, with a code', () => {
    const error = refused(() => server({}));
    expect(error).toBeInstanceOf(RedisStreamsError);
    expect(error).toMatchObject({ name: 'InvalidOptionsError', code: 'INVALID_OPTIONS' });
  });

  it.each([undefined, null, 7, [], 'billing'])('says so where there are none: %p', (options) => {
    expect(refused(() => server(options)).path).toBe('options');
  });

  const url = 'redis://user:hunter2@redis:6379';
  it.each<[string, () => unknown]>([
    ['a URL of another scheme', () => client({ connection: 'http://user:hunter2@redis' })],
    ['a URL in a list', () => server({ group: 'billing', connection: [url] })],
    ['ioredis options', () => client({ connection: { password: 'hunter2', keyPrefix: 'a:' } })],
    ['a URL in ioredis options', () => client({ connection: { url: 'http://u:hunter2@redis' } })],
    ['a URL that cannot be parsed', () => client({ connection: 'redis://u:hunter2@redis:port' })],
    ['a URL that cannot be decoded', () => client({ connection: 'redis://u:hunter2%@redis' })],
    ['a URL in place of options', () => client(url)],
    ['a URL under the name of another package', () => server({ group: 'billing', url })],
    ['a password beside the connection', () => client({ password: 'hunter2' })],
    ['a connection with something else wrong', () => server({ connection: url })],
  ])('never shows a password: %s', (_, action) => {
    const error = refused(action);
    expect(error.message).not.toContain('hunter2');
    expect(error.given).not.toContain('hunter2');
    expect(String(error.cause ?? '')).not.toContain('hunter2');
  });
});

describe('a module without options', () => {
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['nothing', null],
    ['a value of type string', 'redis://redis'],
  ])('is refused at once, given %s', (given, options) => {
    expect(() => RedisStreamsModule.forRoot(options as RedisStreamsModuleOptions)).toThrow(
      `Option "forRoot()": given ${given}, allowed: an object of module options, with a group: forRoot({ group: 'billing' })`,
    );
    expect(() => RedisStreamsModule.forRootAsync(options as object)).toThrow(
      `Option "forRootAsync()": given ${given}, allowed: an object with useFactory, useClass or useExisting, which gives the module options`,
    );
  });
});
