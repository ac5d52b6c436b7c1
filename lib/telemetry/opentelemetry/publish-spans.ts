import { context as contexts, type Context, SpanKind, trace } from '@opentelemetry/api';
import type { OutgoingMessage, PublishOperation } from '../../events/operations.js';
import { commonAttributes, NAMES } from './conventions.js';
import { spanned, type Ended, type Telemetry } from './spanned.js';
import { inject, linksTo } from './trace-context.js';

/** One message: the span of its sending is what travels with it. */
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
  spanned(operation, span, context, (ended) => {
    const { entryId, duplicate } = Object(ended.result);
    if (typeof entryId === 'string') span.setAttribute(NAMES.entryId, entryId);
    if (duplicate === true) span.setAttribute(NAMES.duplicate, true);
    count(telemetry, operation, ended);
  });
}

/** Many: each has a span of its own, which travels with it, and that of their sending links to all of them. */
function sendBatchSpan({ tracer, instruments }: Telemetry, operation: PublishOperation): void {
  const { stream, messages } = operation;
  const parent = contexts.active();
  const created = messages.map((message): Context => {
    const attributes = {
      ...commonAttributes(operation, 'create', 'create'),
      ...ofMessage(message),
    };
    const its = tracer.startSpan(
      `create ${stream}`,
      { kind: SpanKind.PRODUCER, attributes },
      parent,
    );
    const context = trace.setSpan(parent, its);
    inject(context, message.headers);
    its.end();
    return context;
  });
  const attributes = {
    ...commonAttributes(operation, 'send', 'send'),
    [NAMES.batchCount]: messages.length,
  };
  const options = { kind: SpanKind.CLIENT, attributes, links: linksTo(created) };
  const span = tracer.startSpan(`send ${stream}`, options, parent);
  spanned(operation, span, trace.setSpan(parent, span), (ended) =>
    count({ tracer, instruments }, operation, ended),
  );
}

const ofMessage = ({ name, messageId }: OutgoingMessage): Record<string, string> => ({
  [NAMES.messageId]: messageId,
  [NAMES.messageName]: name,
});

function count({ instruments }: Telemetry, operation: PublishOperation, ended: Ended): void {
  const common = commonAttributes(operation, 'send', 'send');
  const attributes = { ...common, ...ended.attributes };
  const { length } = operation.messages;
  instruments.operated(ended.seconds, attributes);
  // Of a batch that was not confirmed as a whole, some may be. By its code: the other module format has its own class.
  const { code, items } = Object(ended.error);
  const isPart = code === 'PUBLISH_BATCH_FAILED' && Array.isArray(items);
  const arrived = isPart ? items.filter((item) => Object(item).state === 'published').length : 0;
  instruments.sent(arrived, common);
  instruments.sent(length - arrived, attributes);
}
