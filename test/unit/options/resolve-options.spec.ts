import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

import { JsonCodec } from '../../../lib/wire/json.codec.js';
import { ByStream } from '../../../lib/wire/by-stream.js';
import { StreamCodecs } from '../../../lib/wire/stream-codecs.js';
import {
  resolveClientOptions,
  resolveModuleOptions,
  resolveServerOptions,
  resolveSubscription,
} from '../../../lib/options/resolve-options.js';

describe('resolveServerOptions', () => {
  it('gives every option that is not set its documented default', () => {
    expect(resolveServerOptions({ group: 'billing' })).toEqual({
      connection: 'redis://127.0.0.1:6379',
      group: 'billing',
      consumer: expect.stringMatching(/^billing\..+\.\d+\.[0-9a-f]{8}$/),
      consumerIsGenerated: true,
      keyPrefix: '',
      blockMs: 5_000,
      discoveryIntervalMs: 5_000,
      leaseMs: 60_000,
      recoveryIntervalMs: 15_000,
      subscription: {
        startFrom: 'latest',
        batchSize: 100,
        readAheadBytes: 67_108_864,
        replyBufferBytes: 67_108_864,
        concurrency: 1,
        delivery: 'at-least-once',
        dedup: { windowMs: 604_800_000, packed: true },
        handlerTimeoutMs: undefined,
        retry: {
          maxAttempts: 5,
          blocking: false,
          backoff: { type: 'exponential', delayMs: 1_000, maxDelayMs: 60_000, jitter: 0.2 },
        },
        requestRetry: {
          maxAttempts: 1,
          backoff: { type: 'exponential', delayMs: 1_000, maxDelayMs: 60_000, jitter: 0.2 },
          blocking: false,
        },
        deadLetter: { maxLength: undefined },
        handlers: 'in-order',
        unhandled: 'ack',
      },
      codecs: new StreamCodecs(new JsonCodec()),
      schemas: new ByStream(),
      partitions: new Map(),
      retention: new ByStream(),
      ttls: new ByStream(),
      maintenance: {
        ledgerIntervalMs: 300_000,
        retentionIntervalMs: 300_000,
        consumersIntervalMs: 300_000,
        consumerIdleMs: 3_600_000,
      },
      drainTimeoutMs: 10_000,
    });
  });

  it('takes what is set, and defaults the rest of a half-filled object', () => {
    expect(
      resolveServerOptions({
        group: 'billing',
        consumer: 'billing-0',
        connection: { host: 'redis' },
        keyPrefix: 'dev:',
        blockMs: 100,
        recovery: { minIdleMs: 1_000 },
        dedup: {},
        concurrency: 8,
        maintenance: { ledgerIntervalMs: 1_000 },
        shutdown: { drainTimeoutMs: 0 },
        streams: {
          orders: { retention: { maxLength: 1_000 }, ttlMs: 60_000, force: true },
          parcels: {},
        },
      }),
    ).toMatchObject({
      consumer: 'billing-0',
      consumerIsGenerated: false,
      connection: { host: 'redis' },
      keyPrefix: 'dev:',
      blockMs: 100,
      leaseMs: 1_000,
      subscription: { dedup: { windowMs: 604_800_000 }, concurrency: 8, batchSize: 100 },
      maintenance: { ledgerIntervalMs: 1_000, retentionIntervalMs: 300_000 },
      drainTimeoutMs: 0,
      retention: new ByStream([['orders', { maxLength: 1_000 }]]),
      ttls: new ByStream([['orders', 60_000]]),
    });
  });

  it('takes what is undefined as not set', () => {
    const options = { group: 'billing', blockMs: undefined, dedup: undefined };
    expect(resolveServerOptions(options as { group: string }).blockMs).toBe(5_000);
  });
});

describe('resolveClientOptions', () => {
  it('gives every option that is not set its documented default', () => {
    const defaults = {
      connection: 'redis://127.0.0.1:6379',
      keyPrefix: '',
      publishTimeoutMs: 10_000,
      requestTimeoutMs: 30_000,
      publishDedup: { windowMs: 120_000 },
      maxPayloadBytes: 1_048_576,
      limits: { maxLength: new ByStream(), ttlMs: new ByStream() },
      codecs: new StreamCodecs(new JsonCodec()),
      schemas: new ByStream(),
      partitions: new Map(),
    };
    expect(resolveClientOptions({})).toEqual(defaults);
  });

  it('takes a window, or none', () => {
    const windowOf = (publishDedup: { windowMs?: number } | false) =>
      resolveClientOptions({ publishDedup }).publishDedup;
    expect(windowOf({ windowMs: 1 })).toEqual({ windowMs: 1 });
    expect(windowOf({})).toEqual({ windowMs: 120_000 });
    expect(windowOf(false)).toBe(false);
  });

  it('takes the limits of the streams that have any', () => {
    const { limits, maxPayloadBytes } = resolveClientOptions({
      maxPayloadBytes: 100,
      streams: {
        orders: { maxLength: 1_000, force: true },
        progress: { ttlMs: 60_000, force: true },
        parcels: { codec: new JsonCodec() },
      },
    });
    expect(maxPayloadBytes).toBe(100);
    expect(limits).toEqual({
      maxLength: new ByStream([['orders', 1_000]]),
      ttlMs: new ByStream([['progress', 60_000]]),
    });
  });

  it('takes the schemas of the streams that have one, for the server too', () => {
    const schema = z.string();
    const streams = { orders: { schema }, parcels: { codec: new JsonCodec() } };
    const expected = new ByStream([['orders', schema]]);
    expect(resolveClientOptions({ streams }).schemas).toEqual(expected);
    expect(resolveServerOptions({ group: 'billing', streams }).schemas).toEqual(expected);
  });

  it('needs no group', () => {
    expect(resolveClientOptions({ publishTimeoutMs: 1 }).publishTimeoutMs).toBe(1);
  });
});

describe('resolveModuleOptions', () => {
  it('gives server and client what each needs, and is not resolved a second time by them', () => {
    const { server, client } = resolveModuleOptions({
      connection: 'redis://redis:6379',
      group: 'billing',
      keyPrefix: 'dev:',
      publishTimeoutMs: 500,
      requestTimeoutMs: 700,
      publishDedup: false,
      maxPayloadBytes: 100,
      streams: { orders: { maxLength: 5, force: true, retention: { maxLength: 9 } } },
      concurrency: 2,
    });
    expect(server).toMatchObject({ connection: 'redis://redis:6379', keyPrefix: 'dev:' });
    expect(server.subscription.concurrency).toBe(2);
    expect(server.retention).toEqual(new ByStream([['orders', { maxLength: 9 }]]));
    expect(client).toEqual({
      connection: 'redis://redis:6379',
      keyPrefix: 'dev:',
      publishTimeoutMs: 500,
      requestTimeoutMs: 700,
      publishDedup: false,
      maxPayloadBytes: 100,
      limits: { maxLength: new ByStream([['orders', 5]]), ttlMs: new ByStream() },
      codecs: new StreamCodecs(new JsonCodec()),
      schemas: new ByStream(),
      partitions: new Map(),
    });
    expect(resolveServerOptions(server)).toBe(server);
    expect(resolveClientOptions(client)).toBe(client);
  });
});

describe('resolveCodecs', () => {
  const [base, own] = [new JsonCodec(), new JsonCodec()];

  it("takes a stream's own codec before the common one", () => {
    const options = { codec: base, streams: { orders: { codec: own }, parcels: {} } };
    for (const { codecs } of [
      resolveServerOptions({ group: 'billing', ...options }),
      resolveClientOptions(options),
      resolveModuleOptions({ group: 'billing', ...options }).client,
    ]) {
      expect(codecs.of('orders')).toBe(own);
      expect(codecs.of('parcels')).toBe(base);
      expect(codecs.of('invoices')).toBe(base);
      expect(codecs.of('constructor')).toBe(base);
    }
  });
});

describe('resolveSubscription', () => {
  const { subscription: base } = resolveServerOptions({
    group: 'billing',
    concurrency: 4,
    dedup: { windowMs: 60_000 },
  });

  it("puts a pattern's own options over those of its server", () => {
    expect(resolveSubscription(base, { batchSize: 1, startFrom: '1729768245123-0' })).toEqual({
      ...base,
      batchSize: 1,
      startFrom: '1729768245123-0',
    });
  });

  it('turns the ledger off, or on again, for one pattern', () => {
    expect(resolveSubscription(base, { dedup: false }).dedup).toBe(false);
    const off = resolveSubscription(base, { dedup: false });
    const on = resolveSubscription(off, { dedup: { windowMs: 5, packed: false } });
    expect(on.dedup).toEqual({ windowMs: 5, packed: false });
  });
});
