import {
  type Attributes,
  type Context,
  context as activeContext,
  type Counter,
  defaultTextMapGetter,
  defaultTextMapSetter,
  diag,
  type Histogram,
  isSpanContextValid,
  type Link,
  type Meter,
  type MeterProvider,
  metrics,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { describeThrown } from '../../errors/thrown-text.js';
import { isError, thrownName } from '../../errors/thrown.js';
import type { EnclosedOperation } from '../../events/operations.js';

/** Creates spans and metrics with the providers that were set, otherwise with the global ones. */
export class Telemetry {
  tracerProvider: TracerProvider | undefined;
  meterProvider: MeterProvider | undefined;
  private current: { readonly from: MeterProvider; readonly metrics: Metrics } | undefined;

  constructor(
    private readonly name: string,
    private readonly version: string,
  ) {}

  get tracer(): Tracer {
    return (this.tracerProvider ?? trace).getTracer(this.name, this.version);
  }

  /** Created again when the global provider changes: until one is set, it has a provider that does nothing. */
  get metrics(): Metrics {
    const from = this.meterProvider ?? metrics.getMeterProvider();
    if (this.current?.from !== from) {
      this.current = { from, metrics: new Metrics(from.getMeter(this.name, this.version)) };
    }
    return this.current.metrics;
  }
}

/** Seconds, as the conventions advise for both histograms. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The metrics of the conventions for messaging. */
class Metrics {
  private readonly sentMessages: Counter;
  private readonly consumedMessages: Counter;
  private readonly operationSeconds: Histogram;
  private readonly processSeconds: Histogram;

  constructor(meter: Meter) {
    const advice = { explicitBucketBoundaries: SECONDS };
    this.sentMessages = meter.createCounter('messaging.client.sent.messages', {
      description: 'Messages that a client tried to publish.',
      unit: '{message}',
    });
    this.consumedMessages = meter.createCounter('messaging.client.consumed.messages', {
      description: 'Messages given to their handlers; a message that is retried counts again.',
      unit: '{message}',
    });
    this.operationSeconds = meter.createHistogram('messaging.client.operation.duration', {
      description: 'How long publishing and settling took.',
      unit: 's',
      advice,
    });
    this.processSeconds = meter.createHistogram('messaging.process.duration', {
      description: 'How long the handlers of a message ran.',
      unit: 's',
      advice,
    });
  }

  sent(count: number, attributes: Attributes): void {
    if (count > 0) this.sentMessages.add(count, attributes);
  }

  operated(seconds: number, attributes: Attributes): void {
    this.operationSeconds.record(seconds, attributes);
  }

  processed(seconds: number, attributes: Attributes): void {
    this.consumedMessages.add(1, attributes);
    this.processSeconds.record(seconds, attributes);
  }
}

/** The conventions do not name Redis Streams yet: this follows their spelling. */
const SYSTEM = 'redis_streams';

/** Attributes of OpenTelemetry's conventions for messaging. */
export const NAMES = {
  system: 'messaging.system',
  destination: 'messaging.destination.name',
  operation: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  group: 'messaging.consumer.group.name',
  client: 'messaging.client.id',
  messageId: 'messaging.message.id',
  batchCount: 'messaging.batch.message_count',
  errorType: 'error.type',
  // Our own attributes, named as the conventions ask of each system.
  messageName: 'messaging.redis_streams.message.name',
  messageKey: 'messaging.redis_streams.message.key',
  entryId: 'messaging.redis_streams.message.entry_id',
  attempt: 'messaging.redis_streams.message.delivery_attempt',
  duplicate: 'messaging.redis_streams.message.duplicate',
  outcome: 'messaging.redis_streams.outcome',
} as const;

/** The attributes that all spans and metrics of an operation have. */
export function commonAttributes(
  { stream, group }: { readonly stream: string; readonly group?: string },
  operation: string,
  type: 'create' | 'send' | 'process' | 'settle',
): Attributes {
  return {
    [NAMES.system]: SYSTEM,
    [NAMES.destination]: stream,
    [NAMES.operation]: operation,
    [NAMES.operationType]: type,
    ...(group === undefined ? {} : { [NAMES.group]: group }),
  };
}

/** The conventions' value for an error without a class. */
const OTHER = '_OTHER';

/** The kind of an error: its name. Messages would give too many values. */
function errorType(error: unknown): string {
  return isError(error) ? thrownName(error) : OTHER;
}

/** How an operation ended. */
export interface Ended {
  /** `undefined` if it failed. */
  readonly result: unknown;
  /** `undefined` if it succeeded. */
  readonly error: unknown;
  readonly seconds: number;
  /** If it failed, `error.type` for the metrics. */
  readonly attributes: Attributes;
}

/** Runs telemetry code. If it throws, that is only logged: no message may fail because of it. */
export function safely(work: () => void): void {
  try {
    work();
  } catch (error) {
    diag.error('nestjs-redis-streams: telemetry failed', error);
  }
}

/** Runs an operation inside a span, and ends the span with it. */
export function runInSpan(
  operation: EnclosedOperation,
  span: Span,
  context: Context,
  onEnd: (ended: Ended) => void,
): void {
  const startedAt = performance.now();
  const end = (result: unknown, error: unknown, attributes: Attributes): void => {
    const seconds = (performance.now() - startedAt) / 1_000;
    safely(() => onEnd({ result, error, seconds, attributes }));
    safely(() => span.end());
  };
  operation.around.push(async (run) => {
    try {
      const result = await activeContext.with(context, run);
      end(result, undefined, {});
      return result;
    } catch (error) {
      const attributes = { [NAMES.errorType]: errorType(error) };
      safely(() => fail(span, error, attributes));
      end(undefined, error, attributes);
      throw error;
    }
  });
}

function fail(span: Span, error: unknown, attributes: Attributes): void {
  const { name, message, stack } = describeThrown(error);
  span.setAttributes(attributes);
  span.recordException(isError(error) ? { name, message, ...(stack && { stack }) } : message);
  span.setStatus({
    code: SpanStatusCode.ERROR,
    ...(isError(error) ? { message } : {}),
  });
}

/** Writes a context into the headers of a message. */
export function inject(context: Context, headers: Record<string, string>): void {
  propagation.inject(context, headers, defaultTextMapSetter);
}

/** The context in the headers of a message, and nothing of the active context here. */
export function extract(headers: Readonly<Record<string, string>>): Context {
  return propagation.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
}

/** Links to the spans of these contexts. */
export function linksTo(contexts: readonly Context[]): Link[] {
  return contexts.flatMap((context) => {
    const span = trace.getSpanContext(context);
    return span !== undefined && isSpanContextValid(span) ? [{ context: span }] : [];
  });
}
