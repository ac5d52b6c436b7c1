import {
  type Context,
  context as contexts,
  ROOT_CONTEXT,
  SpanKind,
  trace,
} from '@opentelemetry/api';
import type {
  HandleOperation,
  OutgoingMessage,
  PublishOperation,
  SettleOperation,
} from '../../events/operations.js';
import {
  commonAttributes,
  type Ended,
  extract,
  inject,
  linksTo,
  NAMES,
  runInSpan,
  type Telemetry,
} from './telemetry.js';

/** Publishing one message. The context of its span travels in the headers of the message. */
export function sendSpan(telemetry: Telemetry, operation: PublishOperation): void {
  const { stream, isBatch, messages } = operation;
  const [message] = messages;
  if (isBatch || message === undefined) return sendBatchSpan(telemetry, operation);
  const common = commonAttributes(operation, 'send', 'send');
  const parent = contexts.active();
  const span = telemetry.tracer.startSpan(
    `send ${stream}`,
    { kind: SpanKind.PRODUCER, attributes: { ...common, ...ofMessage(message) } },
    parent,
  );
  const context = trace.setSpan(parent, span);
  inject(context, message.headers);
  runInSpan(operation, span, context, (ended) => {
    const { entryId, duplicate } = Object(ended.result);
    if (typeof entryId === 'string') span.setAttribute(NAMES.entryId, entryId);
    if (duplicate === true) span.setAttribute(NAMES.duplicate, true);
    count(telemetry, operation, ended);
  });
}

/** Publishing a batch. Each message has a span of its own in its headers, and the span of the batch links to all of them. */
function sendBatchSpan(telemetry: Telemetry, operation: PublishOperation): void {
  const { stream, messages } = operation;
  const parent = contexts.active();
  const created = messages.map((message): Context => {
    const attributes = {
      ...commonAttributes(operation, 'create', 'create'),
      ...ofMessage(message),
    };
    const span = telemetry.tracer.startSpan(
      `create ${stream}`,
      { kind: SpanKind.PRODUCER, attributes },
      parent,
    );
    const context = trace.setSpan(parent, span);
    inject(context, message.headers);
    span.end();
    return context;
  });
  const attributes = {
    ...commonAttributes(operation, 'send', 'send'),
    [NAMES.batchCount]: messages.length,
  };
  const options = { kind: SpanKind.CLIENT, attributes, links: linksTo(created) };
  const span = telemetry.tracer.startSpan(`send ${stream}`, options, parent);
  runInSpan(operation, span, trace.setSpan(parent, span), (ended) =>
    count(telemetry, operation, ended),
  );
}

const ofMessage = ({ name, messageId }: OutgoingMessage): Record<string, string> => ({
  [NAMES.messageId]: messageId,
  [NAMES.messageName]: name,
});

function count({ metrics }: Telemetry, operation: PublishOperation, ended: Ended): void {
  const common = commonAttributes(operation, 'send', 'send');
  const attributes = { ...common, ...ended.attributes };
  const { length } = operation.messages;
  metrics.operated(ended.seconds, attributes);
  // Of an unconfirmed batch, some messages may be confirmed. The error is recognized by its code: the package's other module
  // format has a class of its own.
  const { code, items } = Object(ended.error);
  const isPartial = code === 'PUBLISH_BATCH_FAILED' && Array.isArray(items);
  const arrived = isPartial ? items.filter((item) => Object(item).state === 'published').length : 0;
  metrics.sent(arrived, common);
  metrics.sent(length - arrived, attributes);
}

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
