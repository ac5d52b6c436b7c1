import { context as contexts, type Context, SpanKind, trace } from '@opentelemetry/api';
import type { OutgoingMessage, PublishOperation } from '../../events/operations.js';
import { commonAttributes, NAMES } from './conventions.js';
import { type Ended, inject, linksTo, runInSpan } from './span.js';
import type { Telemetry } from './telemetry.js';

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
