import { SpanKind, trace } from '@opentelemetry/api';
import type { HandleOperation } from '../../events/operations.js';
import { commonAttributes, NAMES } from './conventions.js';
import { spanned, type Telemetry } from './spanned.js';
import { extract, linksTo } from './trace-context.js';

/**
 * One run of a message's handlers: a child of the span that came with it, so that all is one tree, and linked to it, as the
 * conventions want. Handlers run in its context, and with the baggage that came.
 */
export function processSpan(telemetry: Telemetry, operation: HandleOperation): void {
  const { stream, consumer, messageId, entryId, name, key, attempt, headers } = operation;
  const common = commonAttributes(operation, 'process', 'process');
  const parent = extract(headers);
  const attributes = {
    ...common,
    [NAMES.client]: consumer,
    [NAMES.messageId]: messageId,
    [NAMES.entryId]: entryId,
    [NAMES.attempt]: attempt,
    ...(name === undefined ? {} : { [NAMES.messageName]: name }),
    ...(key === undefined ? {} : { [NAMES.messageKey]: key }),
  };
  const options = { kind: SpanKind.CONSUMER, attributes, links: linksTo([parent]) };
  const span = telemetry.tracer.startSpan(`process ${stream}`, options, parent);
  spanned(operation, span, trace.setSpan(parent, span), (ended) => {
    if (typeof ended.result === 'string') span.setAttribute(NAMES.outcome, ended.result);
    const metrics = { ...common, ...ended.attributes };
    telemetry.instruments.processed(ended.seconds, metrics);
  });
}
