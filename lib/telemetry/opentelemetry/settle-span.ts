import { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import type { SettleOperation } from '../../events/operations.js';
import { commonAttributes, NAMES } from './conventions.js';
import { spanned, type Telemetry } from './spanned.js';
import { extract, linksTo } from './trace-context.js';

/**
 * Recording what became of messages. That of one message is in its tree; that of many can be in no tree of them, and
 * links to all.
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
  spanned(operation, span, trace.setSpan(parent, span), (ended) =>
    telemetry.instruments.operated(ended.seconds, { ...common, ...ended.attributes }),
  );
}
