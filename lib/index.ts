export { ClientRedisStreams } from './nest/client-redis-streams.js';
export type { RedisStreamsEvents } from './consume/sources/connections.js';
export type { RedisStreamsClientEvents } from './nest/opened-client.js';
export type { PublishReceipt } from './publish/entry-publisher.js';
export {
  RedisStreamsRecord,
  RedisStreamsRecordBuilder,
  type RedisStreamsRecordOptions,
} from './publish/redis-streams.record.js';
export { FieldCodec, type FieldCodecOptions } from './wire/field.codec.js';
export { JsonCodec, type JsonCodecOptions } from './wire/json.codec.js';
export type { JsonFormat, PayloadForm } from './wire/payload-form.js';
export { WatermillCodec, type WatermillCodecOptions } from './wire/watermill.codec.js';
export type { Codec, EntryFields, RawFields } from './wire/codec.js';
export type { DecodedEnvelope, MessageEnvelope } from './wire/codec.js';
export type { DurationHistogram } from './consume/tallies.js';
export { RedisStreamsContext } from './consume/handlers/redis-streams.context.js';
export type { DeadLetter, DeadLetterError } from './dead-letters/dead-letter.js';
export {
  DeadLetters,
  type DeadLettersOf,
  type GetDeadLetter,
  type ListDeadLetters,
  type PurgeDeadLetters,
  type RedriveDeadLetters,
} from './dead-letters/dead-letters.js';
export type {
  DeadLetterFilter,
  RedriveProgress,
  SomeDeadLetters,
} from './dead-letters/group-dead-letters.js';
export {
  CancelError,
  DuplicateRequestError,
  PublishBatchError,
  type PublishBatchItem,
  PublishError,
  ReplyInterruptedError,
  NoConsumerError,
  RequestTimeoutError,
} from './errors/client.errors.js';
export {
  ConnectionClosedError,
  ConnectionEndedError,
  InvalidRecordError,
  JobFailedError,
  NoAnswerError,
  NotConnectedError,
  UnexpectedReplyError,
  StreamsRefusedError,
  UnsupportedServerError,
} from './errors/redis.errors.js';
export {
  DeadLetterException,
  HandlerTimeoutError,
  LeaseLostError,
  PullEndedError,
  RepliesTooFastError,
  RequestAbandonedError,
  RetryException,
  SettledAlreadyError,
} from './errors/handler.errors.js';
export { InvalidOptionsError, InvalidStreamNameError } from './errors/redis-streams.error.js';
export {
  MessageDecodingError,
  MessageEncodingError,
  MessageValidationError,
  type ValidationIssue,
} from './errors/message.errors.js';
export { RedisStreamsError } from './errors/redis-streams.error.js';
export { onStreamsEvent, type RedisStreamsChannels } from './events/channels.js';
export type {
  AttemptedMessage,
  ConnectionReconnecting,
  ConsumedMessage,
  MessageDeadLettered,
  MessageFailed,
  MessageHandled,
  MessageLost,
  MessagePublished,
  MessagePublishFailed,
  MessageRetried,
  MessageRun,
} from './events/message-events.js';
export {
  type AroundOperation,
  type EnclosedOperation,
  type HandleOperation,
  onStreamsOperation,
  type OutgoingMessage,
  type PublishOperation,
  type RedisStreamsOperations,
  type SettledMessage,
  type SettleOperation,
  type SettleStep,
  streamsOperations,
} from './events/operations.js';
export type { JobResult } from './jobs/job.js';
export { IdleConsumersJob } from './jobs/idle-consumers.job.js';
export { LedgerMaintenanceJob } from './jobs/ledger-maintenance.job.js';
export { RetentionJob } from './jobs/retention.job.js';
export { importLedger, type ImportedLedger } from './jobs/import-ledger.js';
export type { PulledMessage, RetryPulled } from './nest/pull/pulled-message.js';
export type { PulledMessages } from './nest/pull/pull-loop.js';
export { RedisStreamsPull } from './nest/pull/redis-streams-pull.js';
export { RedisStreamsModule } from './nest/redis-streams.module.js';
export type {
  ConsumerInspection,
  InspectedServer,
  EntriesInspection,
  OwnerInspection,
  PartitionInspection,
  StreamInspection,
  StreamsInspection,
} from './monitor/streams-inspection.js';
export { StreamsMonitor } from './monitor/streams-monitor.js';
export type {
  JobStats,
  MessageCounts,
  OwnedPartitionStats,
  PartitionsStats,
  StreamsStats,
  StreamStats,
} from './monitor/streams-inspection.js';
export type { PublishDedupOptions, RedisStreamsClientOptions } from './options/client-options.js';
export type {
  ConnectionFactory,
  ConnectionOption,
  ConnectionOptions,
  ConnectionRequest,
  ConnectionRole,
  Credentials,
  LegacyOptions,
} from './options/connection-option.js';
export type {
  BackoffFunction,
  BackoffOptions,
  DeadLetterOptions,
  RetryOptions,
  DedupOptions,
  HandlersMode,
  StartFrom,
  SubscriptionOptions,
  TimeSpan,
} from './options/subscription-options.js';
export type { PullOptions, RedisStreamsPullOptions } from './options/pull-options.js';
export type { DeadLettersOptions } from './options/dead-letters-options.js';
export type {
  RedisStreamsModuleOptions,
  MaintenanceOptions,
  RecoveryOptions,
  RedisStreamsServerOptions,
  ShutdownOptions,
} from './options/server-options.js';
export type {
  PublishLimits,
  PublishedStreamOptions,
  RetentionLimits,
  RetentionOptions,
  RetentionReaders,
  StreamOptions,
} from './options/stream-options.js';
export type { ImportLedgerOptions, ImportLedgerProgress } from './options/import-ledger-options.js';
export type { StreamPattern } from './options/stream-pattern.js';
export type { RedisStreamsStatus } from './redis/connect/opened-connection.js';
export { streamsTransport } from './nest/instance-name.js';
export { getStreamsToken, InjectStreams } from './nest/streams-token.js';
export { REDIS_STREAMS, subscription, type SubscriptionExtras } from './nest/subscription.js';
export { ServerRedisStreams } from './nest/server-redis-streams.js';
