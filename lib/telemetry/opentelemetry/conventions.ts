import type { Attributes } from '@opentelemetry/api';

/** The conventions do not name Redis Streams yet: this follows their spelling. */
const SYSTEM = 'redis_streams';

/** Attributes of OpenTelemetry's conventions for messaging. */
export const NAMES = {
  system: 'messaging.system',
  destination: 'messaging.destination.name',
  operation: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  group: 'messaging.consumer.group.name',
  client: 'messaging.client.id',
  messageId: 'messaging.message.id',
  batchCount: 'messaging.batch.message_count',
  errorType: 'error.type',
  // Our own attributes, named as the conventions ask of each system.
  messageName: 'messaging.redis_streams.message.name',
  messageKey: 'messaging.redis_streams.message.key',
  entryId: 'messaging.redis_streams.message.entry_id',
  attempt: 'messaging.redis_streams.message.delivery_attempt',
  duplicate: 'messaging.redis_streams.message.duplicate',
  outcome: 'messaging.redis_streams.outcome',
} as const;

/** The attributes that all spans and metrics of an operation have. */
export function commonAttributes(
  { stream, group }: { readonly stream: string; readonly group?: string },
  operation: string,
  type: 'create' | 'send' | 'process' | 'settle',
): Attributes {
  return {
    [NAMES.system]: SYSTEM,
    [NAMES.destination]: stream,
    [NAMES.operation]: operation,
    [NAMES.operationType]: type,
    ...(group === undefined ? {} : { [NAMES.group]: group }),
  };
}

/** The conventions' value for an error without a class. */
const OTHER = '_OTHER';

/** The kind of an error: its name. Messages would give too many values. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return OTHER;
  return error.name === 'Error' ? error.constructor.name || OTHER : error.name;
}
