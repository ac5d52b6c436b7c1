import { readFile } from 'node:fs/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { context, metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  FieldCodec,
  type RedisStreamsContext,
  RedisStreamsRecordBuilder,
} from '../../lib/index.js';
import { RedisStreamsInstrumentation } from '../../lib/telemetry/opentelemetry/index.js';
import { answeringController } from '../support/answering-controller.js';
import { childProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage } from '../support/compiled-package.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { recordedSpans, type RecordedSpans } from '../support/telemetry.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const FAST = { backoff: { type: 'fixed', delayMs: 1, jitter: 0 } } as const;

let spans: RecordedSpans;
const instrumentation = new RedisStreamsInstrumentation({ enabled: false });
beforeAll(() => {
  spans = recordedSpans();
});
afterEach(() => instrumentation.disable());
afterEach(endChildPrograms);
afterAll(() => spans.end());

const idOf = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().spanId;
const traceOf = (span: ReadableSpan): string => span.spanContext().traceId;
const linked = (span: ReadableSpan | undefined): (string | undefined)[] =>
  (span?.links ?? []).map((link) => link.context.spanId);
const typed = (stream: string, type: string): ReadableSpan[] =>
  spans.of(stream).filter((span) => span.attributes['messaging.operation.type'] === type);
const inSpan = <Result>(name: string, run: () => Promise<Result>): Promise<Result> =>
  trace.getTracer('test').startActiveSpan(name, (span) => run().finally(() => span.end()));

const appOf = (
  stream: string,
  handle: (data: unknown, streamsContext: RedisStreamsContext) => unknown,
) =>
  streamsApp(
    { connection: redis.url, group: GROUP, retry: FAST },
    { controllers: [handlerOf(stream, handle)] },
  );

describe('spans', () => {
  it('form one tree of the emitter, what is sent, handled and settled, and what its handler does', async () => {
    instrumentation.enable();
    const stream = freshName('orders');
    const inHandler = freshName('charge');
    const app = await appOf(stream, async () => {
      await new Promise(setImmediate);
      await inSpan(inHandler, async () => undefined);
    });
    const caller = freshName('caller');
    const record = new RedisStreamsRecordBuilder(1).setMessageId('o-1').setKey('k').build();
    const { entryId } = await inSpan(caller, () => app.emit({ stream, name: 'created' }, record));
    await waitFor(() => typed(stream, 'settle').length === 1);
    const [callers] = spans.named(caller);
    const [send] = typed(stream, 'send');
    const [process] = typed(stream, 'process');
    const [settle] = typed(stream, 'settle');
    const [charge] = spans.named(inHandler);
    expect(send?.parentSpanContext?.spanId).toBe(idOf(callers));
    expect(process?.parentSpanContext).toMatchObject({ spanId: idOf(send), isRemote: true });
    expect(linked(process)).toEqual([idOf(send)]);
    expect(charge?.parentSpanContext?.spanId).toBe(idOf(process));
    expect(settle?.parentSpanContext?.spanId).toBe(idOf(send));
    expect(linked(settle)).toEqual([idOf(send)]);
    const all = [callers, send, process, settle, charge].map((span) => traceOf(span!));
    expect(new Set(all).size).toBe(1);

    expect([send, process, settle].map((span) => [span?.name, span?.kind])).toEqual([
      [`send ${stream}`, SpanKind.PRODUCER],
      [`process ${stream}`, SpanKind.CONSUMER],
      [`commit ${stream}`, SpanKind.CLIENT],
    ]);
    const common = {
      'messaging.system': 'redis_streams',
      'messaging.destination.name': stream,
      'messaging.message.id': 'o-1',
      'messaging.redis_streams.message.entry_id': entryId,
    };
    const consumer = {
      'messaging.consumer.group.name': GROUP,
      'messaging.client.id': app.server.options.consumer,
    };
    expect(send?.attributes).toEqual({
      ...common,
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.redis_streams.message.name': 'created',
    });
    expect(process?.attributes).toEqual({
      ...common,
      ...consumer,
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.redis_streams.message.name': 'created',
      'messaging.redis_streams.message.key': 'k',
      'messaging.redis_streams.message.delivery_attempt': 1,
      'messaging.redis_streams.outcome': 'handled',
    });
    expect(settle?.attributes).toEqual({
      ...common,
      ...consumer,
      'messaging.operation.name': 'commit',
      'messaging.operation.type': 'settle',
    });
  });

  it('give each message of a batch its own context, and link the sending to all', async () => {
    instrumentation.enable();
    const stream = freshName('orders');
    const app = await appOf(stream, () => undefined);
    const caller = freshName('caller');
    await inSpan(caller, () => firstValueFrom(app.client.emitBatch(stream, [1, 2, 3])));
    await waitFor(() => typed(stream, 'process').length === 3);
    const settled = (): number =>
      typed(stream, 'settle').reduce((sum, span) => sum + span.links.length, 0);
    await waitFor(() => settled() === 3);
    const created = typed(stream, 'create');
    const [callers] = spans.named(caller);
    const [send, ...others] = typed(stream, 'send');
    expect(others).toEqual([]);
    expect(send).toMatchObject({ kind: SpanKind.CLIENT, name: `send ${stream}` });
    expect(send?.attributes['messaging.batch.message_count']).toBe(3);
    expect(linked(send)).toEqual(created.map(idOf));
    for (const span of [...created, send]) {
      expect(span?.parentSpanContext?.spanId).toBe(idOf(callers));
    }
    const processed = typed(stream, 'process');
    expect(processed.map((span) => span.parentSpanContext?.spanId).sort()).toEqual(
      created.map(idOf).sort(),
    );
    for (const settle of typed(stream, 'settle')) {
      const { length } = settle.links;
      const count = settle.attributes['messaging.batch.message_count'];
      expect(count).toBe(length > 1 ? length : undefined);
    }
  });

  it('show each attempt in the tree: a failed one with its error, its outcome, and the next', async () => {
    instrumentation.enable();
    const stream = freshName('orders');
    const app = await appOf(stream, (_, streamsContext) => {
      if (streamsContext.getAttempt() === 1) throw new TypeError('no such customer');
    });
    await app.emit(stream, 1);
    await waitFor(() => typed(stream, 'settle').length === 2);
    const [send] = typed(stream, 'send');
    const [failed, handled] = typed(stream, 'process');
    expect(failed?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'no such customer' });
    expect(failed?.attributes).toMatchObject({
      'error.type': 'TypeError',
      'messaging.redis_streams.message.delivery_attempt': 1,
    });
    expect(failed?.events).toMatchObject([{ name: 'exception' }]);
    expect(handled?.status.code).toBe(SpanStatusCode.UNSET);
    expect(handled?.attributes['messaging.redis_streams.message.delivery_attempt']).toBe(2);
    expect(typed(stream, 'settle').map(({ name }) => name)).toEqual([
      `retry ${stream}`,
      `commit ${stream}`,
    ]);
    for (const span of [failed, handled, ...typed(stream, 'settle')]) {
      expect(span?.parentSpanContext?.spanId).toBe(idOf(send));
    }
  });

  it('put a request and its answer into the tree of the sender; a failed one has an error', async () => {
    instrumentation.enable();
    const stream = freshName('quote');
    const inHandler = freshName('price');
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      {
        controllers: [
          answeringController<number>(stream, (n) =>
            inSpan(inHandler, async () => {
              if (n < 0) throw new RangeError('too little');
              return n * 2;
            }),
          ),
        ],
      },
    );
    const caller = freshName('caller');
    const ask = (n: number) => inSpan(caller, () => firstValueFrom(app.client.send(stream, n)));
    await expect(ask(21)).resolves.toBe(42);
    await expect(ask(-1)).rejects.toBeDefined();
    await waitFor(() => typed(stream, 'process').length === 2);
    const callers = spans.named(caller).map(idOf);
    const sent = typed(stream, 'send');
    const processed = typed(stream, 'process');
    expect(sent.map((span) => span.parentSpanContext?.spanId)).toEqual(callers);
    expect(processed.map((span) => span.parentSpanContext?.spanId)).toEqual(sent.map(idOf));
    expect(spans.named(inHandler).map((span) => span.parentSpanContext?.spanId)).toEqual(
      processed.map(idOf),
    );
    expect(processed.map(({ attributes }) => attributes['error.type'])).toEqual([
      undefined,
      'RangeError',
    ]);
  });

  it('report the kind of error if publishing fails, alone and in a batch', async () => {
    instrumentation.enable();
    const stream = freshName('orders');
    await redis.client.set(stream, 'no stream');
    const client = new ClientRedisStreams({ connection: redis.url });
    await expect(firstValueFrom(client.emit(stream, 1))).rejects.toThrow('WRONGTYPE');
    await expect(firstValueFrom(client.emitBatch(stream, [1, 2]))).rejects.toThrow('confirmed');
    expect(
      typed(stream, 'send').map(({ status, attributes }) => [
        status.code,
        attributes['error.type'],
      ]),
    ).toEqual([
      [SpanStatusCode.ERROR, 'PublishError'],
      [SpanStatusCode.ERROR, 'PublishBatchError'],
    ]);
    await client.close();
  });

  it('start a new trace for a message that came without a context', async () => {
    instrumentation.enable();
    const stream = freshName('orders');
    await appOf(stream, () => undefined);
    await redis.client.xadd(stream, '*', 'name', stream, 'body', '1');
    await waitFor(() => typed(stream, 'process').length === 1);
    const [process] = typed(stream, 'process');
    expect([process?.parentSpanContext, process?.links]).toEqual([undefined, []]);
  });

  it('form one tree of two processes', async () => {
    instrumentation.enable();
    const stream = freshName('orders');
    const compiled = await compiledPackage('test/support/programs');
    const client = new ClientRedisStreams({ connection: redis.url });
    await firstValueFrom(client.emit(stream, 1));
    const [send] = typed(stream, 'send');
    const program = childProgram(
      compiled.program('test/support/programs/traced-consumer.program.ts'),
      { env: { REDIS_URL: redis.url, STREAM: stream } },
    );
    await waitFor(() => program.output().includes(`"commit ${stream}"`));
    const lines = program.output().trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      ['process', 'commit'].map((what) => ({
        name: `${what} ${stream}`,
        traceId: traceOf(send!),
        spanId: expect.any(String),
        parentId: idOf(send),
      })),
    );
    program.kill('SIGKILL');
    await program.ended;
    await client.close();
  });

  it('do not prevent publishing if entries cannot carry a context', async () => {
    instrumentation.enable();
    const stream = freshName('sensors');
    const streams = { [stream]: { codec: new FieldCodec({ field: 'data' }) } };
    const client = new ClientRedisStreams({ connection: redis.url, streams });
    await firstValueFrom(client.emit(stream, 1));
    await firstValueFrom(client.emitBatch(stream, [2, 3]));
    expect(await redis.client.xlen(stream)).toBe(3);
    expect(typed(stream, 'send')).toHaveLength(2);
    await client.close();
  });
});

describe('RedisStreamsInstrumentation', () => {
  it('adds no span and no header once it is disabled, or before it is enabled', async () => {
    const stream = freshName('orders');
    const headers: unknown[] = [];
    const active: unknown[] = [];
    const app = await appOf(stream, (_, streamsContext) => {
      headers.push(streamsContext.getHeaders());
      active.push(trace.getSpan(context.active()));
    });
    await inSpan('before', () => app.emit(stream, 1));
    await waitFor(() => headers.length === 1);
    instrumentation.enable();
    instrumentation.enable();
    await app.emit(stream, 2);
    await waitFor(() => typed(stream, 'settle').length === 1);
    instrumentation.disable();
    await inSpan('after', () => app.emit(stream, 3));
    await waitFor(() => headers.length === 3);
    expect(headers).toEqual([{}, { traceparent: expect.any(String) }, {}]);
    expect(active).toEqual([undefined, expect.anything(), undefined]);
    expect(spans.of(stream)).toHaveLength(3);
  });

  it('has the interface that registerInstrumentations() expects, and starts when it is created', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8'));
    const made = new RedisStreamsInstrumentation();
    expect(made).toMatchObject({
      instrumentationName: 'nestjs-redis-streams',
      instrumentationVersion: version,
    });
    expect(made.getConfig()).toEqual({ enabled: true });
    const stream = freshName('orders');
    const client = new ClientRedisStreams({ connection: redis.url });
    await firstValueFrom(client.emit(stream, 1));
    made.disable();
    expect(spans.of(stream)).toHaveLength(1);
    made.setConfig({ enabled: false });
    expect(made.getConfig()).toEqual({ enabled: false });
    await client.close();
  });

  it('harms no message if a provider throws', async () => {
    const broken = (): never => {
      throw new Error('broken');
    };
    const made = new RedisStreamsInstrumentation();
    made.setTracerProvider({ getTracer: broken });
    const stream = freshName('orders');
    let handled = 0;
    const app = await appOf(stream, () => void handled++);
    await app.emit(stream, 1);
    await waitFor(() => handled === 1);
    made.disable();
  });

  it('counts and measures by the conventions, even if the provider is set later', async () => {
    instrumentation.enable();
    const stream = freshName('orders');
    const app = await appOf(stream, (_, streamsContext) => {
      if (streamsContext.getAttempt() === 1) throw new TypeError('once');
    });
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 });
    const provider = new MeterProvider({ readers: [reader] });
    metrics.setGlobalMeterProvider(provider);
    await app.emit(stream, 1);
    await waitFor(() => typed(stream, 'settle').length === 2);
    await firstValueFrom(app.client.emitBatch(freshName('others'), [1, 2]));
    await reader.forceFlush();
    const found = new Map<string, [unknown, unknown][]>();
    for (const { metrics: scoped } of exporter.getMetrics().at(-1)?.scopeMetrics ?? []) {
      for (const { descriptor, dataPoints } of scoped) {
        const ours = dataPoints
          .filter(({ attributes }) => attributes['messaging.destination.name'] === stream)
          .map(({ attributes, value }): [unknown, unknown] => [
            [attributes['messaging.operation.name'], attributes['error.type']],
            typeof value === 'number' ? value : value.count,
          ]);
        found.set(`${descriptor.name} ${descriptor.unit}`, ours);
      }
    }
    const runs = [
      [['process', 'TypeError'], 1],
      [['process', undefined], 1],
    ];
    expect(Object.fromEntries(found)).toEqual({
      'messaging.client.sent.messages {message}': [[['send', undefined], 1]],
      'messaging.client.consumed.messages {message}': runs,
      'messaging.client.operation.duration s': [
        [['send', undefined], 1],
        [['retry', undefined], 1],
        [['commit', undefined], 1],
      ],
      'messaging.process.duration s': runs,
    });
    await provider.shutdown();
  });
});
