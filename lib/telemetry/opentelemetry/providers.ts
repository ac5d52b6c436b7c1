import {
  type MeterProvider,
  metrics,
  trace,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { Instruments } from './instruments.js';
import type { Telemetry } from './spanned.js';

/** Where spans and metrics go: to the providers that were set, else to the global ones. */
export class Providers implements Telemetry {
  tracerProvider: TracerProvider | undefined;
  meterProvider: MeterProvider | undefined;
  private made: { readonly by: MeterProvider; readonly instruments: Instruments } | undefined;

  constructor(
    private readonly name: string,
    private readonly version: string,
  ) {}

  get tracer(): Tracer {
    return (this.tracerProvider ?? trace).getTracer(this.name, this.version);
  }

  /** Made again when the global provider is set: until then it gives some that do nothing. */
  get instruments(): Instruments {
    const by = this.meterProvider ?? metrics.getMeterProvider();
    if (this.made?.by !== by) {
      this.made = { by, instruments: new Instruments(by.getMeter(this.name, this.version)) };
    }
    return this.made.instruments;
  }
}
