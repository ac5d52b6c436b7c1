import { AsyncLocalStorage } from 'node:async_hooks';

import {
  type Context,
  context,
  type ContextManager,
  metrics,
  propagation,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';

/** What an app's SDK for Node provides: a context that follows asynchronous code. */
class AsyncContextManager implements ContextManager {
  private readonly store = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.store.getStore() ?? ROOT_CONTEXT;
  }

  with<Args extends unknown[], Fn extends (...args: Args) => ReturnType<Fn>>(
    active: Context,
    fn: Fn,
    thisArg?: ThisParameterType<Fn>,
    ...args: Args
  ): ReturnType<Fn> {
    return this.store.run(active, () => fn.apply(thisArg, args));
  }

  bind<T>(_: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}

/** The spans that ended in this process. */
export interface RecordedSpans {
  /** Those of one stream, by name, in the order in which they ended. */
  of(stream: string): ReadableSpan[];
  named(name: string): ReadableSpan[];
  /** Removes everything that was made global. */
  end(): void;
}

/** Registers globally what an app's SDK does: spans are kept in memory, contexts travel in the W3C format. */
export function recordedSpans(): RecordedSpans {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncContextManager());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const all = (): ReadableSpan[] => exporter.getFinishedSpans();
  return {
    of: (stream) =>
      all().filter((span) => span.attributes['messaging.destination.name'] === stream),
    named: (name) => all().filter((span) => span.name === name),
    end: () => {
      for (const api of [trace, context, propagation, metrics]) api.disable();
    },
  };
}
