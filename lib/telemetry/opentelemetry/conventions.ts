import type { Attributes } from '@opentelemetry/api';

/** No convention names Redis Streams yet: it is spelled as those do that it knows. */
const SYSTEM = 'redis_streams';

/** Attributes of OpenTelemetry's conventions for messaging. They are spelled here and nowhere else. */
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
  // What is this system's own, where the conventions have others put theirs.
  messageName: 'messaging.redis_streams.message.name',
  messageKey: 'messaging.redis_streams.message.key',
  entryId: 'messaging.redis_streams.message.entry_id',
  attempt: 'messaging.redis_streams.message.delivery_attempt',
  duplicate: 'messaging.redis_streams.message.duplicate',
  outcome: 'messaging.redis_streams.outcome',
} as const;

/** Of what is done with one stream: the attributes that spans and metrics have in common. */
export interface Place {
  readonly stream: string;
  readonly group?: string;
}

export type OperationType = 'create' | 'send' | 'process' | 'settle';

export function commonAttributes(
  { stream, group }: Place,
  operation: string,
  type: OperationType,
): Attributes {
  return {
    [NAMES.system]: SYSTEM,
    [NAMES.destination]: stream,
    [NAMES.operation]: operation,
    [NAMES.operationType]: type,
    ...(group === undefined ? {} : { [NAMES.group]: group }),
  };
}

/** What the conventions want for an error that is no object of a class. */
const OTHER = '_OTHER';

/** Of which kind an error is: its name, as few as there are classes. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return OTHER;
  return error.name === 'Error' ? error.constructor.name || OTHER : error.name;
}
