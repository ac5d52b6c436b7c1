import {
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  isSpanContextValid,
  type Link,
  propagation,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api';

/** Has a context travel with a message. */
export function inject(context: Context, headers: Record<string, string>): void {
  propagation.inject(context, headers, defaultTextMapSetter);
}

/** The context that came with a message. Nothing of what goes on here is in it. */
export function extract(headers: Readonly<Record<string, string>>): Context {
  return propagation.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
}

/** Links to the spans of these contexts, where they have one. */
export function linksTo(contexts: readonly Context[]): Link[] {
  return contexts.flatMap((context) => {
    const span = trace.getSpanContext(context);
    return span !== undefined && isSpanContextValid(span) ? [{ context: span }] : [];
  });
}
