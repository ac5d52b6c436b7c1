import {
  type Attributes,
  type Counter,
  type Histogram,
  type Meter,
  type MeterProvider,
  metrics,
  trace,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';

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
