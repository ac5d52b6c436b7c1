import {
  type Attributes,
  type Context,
  context as contexts,
  diag,
  type Span,
  SpanStatusCode,
  type Tracer,
} from '@opentelemetry/api';
import type { EnclosedOperation } from '../../events/operations.js';
import { errorType, NAMES } from './conventions.js';
import type { Instruments } from './instruments.js';

/** What spans and metrics are made with. Asked for each time, since both providers can be set later. */
export interface Telemetry {
  readonly tracer: Tracer;
  readonly instruments: Instruments;
}

/** How an operation ended. */
export interface Ended {
  /** Nothing where it failed. */
  readonly result: unknown;
  /** Nothing where it succeeded. */
  readonly error: unknown;
  readonly seconds: number;
  /** `error.type` where it failed, for the metrics. */
  readonly attributes: Attributes;
}

/** Does what only watches: what goes wrong with it harms no message. */
export function watching(work: () => void): void {
  try {
    work();
  } catch (error) {
    diag.error('nestjs-redis-streams: telemetry failed', error);
  }
}

/** Has an operation done inside a span, which ends with it. */
export function spanned(
  operation: EnclosedOperation,
  span: Span,
  context: Context,
  onEnd: (ended: Ended) => void,
): void {
  const began = performance.now();
  const end = (result: unknown, error: unknown, attributes: Attributes): void => {
    const seconds = (performance.now() - began) / 1_000;
    watching(() => onEnd({ result, error, seconds, attributes }));
    watching(() => span.end());
  };
  operation.around.push(async (run) => {
    try {
      const result = await contexts.with(context, run);
      end(result, undefined, {});
      return result;
    } catch (error) {
      const attributes = { [NAMES.errorType]: errorType(error) };
      watching(() => fail(span, error, attributes));
      end(undefined, error, attributes);
      throw error;
    }
  });
}

function fail(span: Span, error: unknown, attributes: Attributes): void {
  const isError = error instanceof Error;
  span.setAttributes(attributes);
  span.recordException(isError ? error : String(error));
  span.setStatus({
    code: SpanStatusCode.ERROR,
    ...(isError ? { message: error.message } : {}),
  });
}
