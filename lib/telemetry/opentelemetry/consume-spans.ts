import { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import type { HandleOperation, SettleOperation } from '../../events/operations.js';
import { commonAttributes, NAMES } from './conventions.js';
import { extract, linksTo, runInSpan } from './span.js';
import type { Telemetry } from './telemetry.js';

/**
 * One run of a message's handlers. It is a child of the span in the message's headers, so that both are in one trace, and
 * linked to it, as the conventions want. Handlers run in its context, with the baggage of the message.
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
  runInSpan(operation, span, trace.setSpan(parent, span), (ended) => {
    if (typeof ended.result === 'string') span.setAttribute(NAMES.outcome, ended.result);
    telemetry.metrics.processed(ended.seconds, { ...common, ...ended.attributes });
  });
}

/**
 * Settling messages. If it is one message, the span is in the trace of that message; if there are many, it belongs to none of
 * their traces, and links to all.
 */
export function settleSpan(telemetry: Telemetry, operation: SettleOperation): void {
  const { stream, consumer, step, messages } = operation;
  const common = commonAttributes(operation, step, 'settle');
  const created = messages.map(({ headers }) => extract(headers));
  const [first] = messages;
  const isOne = first !== undefined && messages.length === 1;
  const parent = (isOne ? created[0] : undefined) ?? ROOT_CONTEXT;
  const attributes = {
    ...common,
    [NAMES.client]: consumer,
    ...(isOne
      ? { [NAMES.messageId]: first.messageId, [NAMES.entryId]: first.entryId }
      : { [NAMES.batchCount]: messages.length }),
  };
  const options = { kind: SpanKind.CLIENT, attributes, links: linksTo(created) };
  const span = telemetry.tracer.startSpan(`${step} ${stream}`, options, parent);
  runInSpan(operation, span, trace.setSpan(parent, span), (ended) =>
    telemetry.metrics.operated(ended.seconds, { ...common, ...ended.attributes }),
  );
}
