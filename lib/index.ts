export { ClientRedisStreams } from './nest/client-redis-streams.js';
export type { RedisStreamsClientEvents } from './nest/redis-streams-client.events.js';
export type { PublishReceipt } from './publish/publish-receipt.js';
export {
  RedisStreamsRecord,
  RedisStreamsRecordBuilder,
  type RedisStreamsRecordOptions,
} from './publish/redis-streams.record.js';
export { FieldCodec, type FieldCodecOptions } from './wire/field.codec.js';
export { JsonCodec } from './wire/json.codec.js';
export type { PayloadForm } from './wire/payload-form.js';
export { WatermillCodec, type WatermillCodecOptions } from './wire/watermill.codec.js';
export type { Codec, EntryFields, RawFields } from './wire/codec.js';
export type { DecodedEnvelope, MessageEnvelope } from './wire/envelope.js';
export type { DurationHistogram } from './consume/histogram.js';
export { RedisStreamsContext } from './consume/handlers/redis-streams.context.js';
export type { DeadLetter } from './dead-letters/dead-letter.js';
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
export { CancelError } from './errors/cancel.error.js';
export { ConnectionClosedError } from './errors/connection-closed.error.js';
export { ConnectionEndedError } from './errors/connection-ended.error.js';
export { DeadLetterException } from './errors/dead-letter.exception.js';
export { DuplicateRequestError } from './errors/duplicate-request.error.js';
export { HandlerTimeoutError } from './errors/handler-timeout.error.js';
export { InvalidOptionsError } from './errors/invalid-options.error.js';
export { InvalidStreamNameError } from './errors/invalid-stream-name.error.js';
export { JobFailedError } from './errors/job-failed.error.js';
export { LeaseLostError } from './errors/lease-lost.error.js';
export { MessageDecodingError } from './errors/message-decoding.error.js';
export { MessageEncodingError } from './errors/message-encoding.error.js';
export { MessageValidationError, type ValidationIssue } from './errors/message-validation.error.js';
export { NoAnswerError } from './errors/no-answer.error.js';
export { PublishBatchError, type PublishBatchItem } from './errors/publish-batch.error.js';
export { PublishError } from './errors/publish.error.js';
export { ReplyInterruptedError } from './errors/reply-interrupted.error.js';
export { RequestAbandonedError } from './errors/request-abandoned.error.js';
export { RequestTimeoutError } from './errors/request-timeout.error.js';
export { RetryException } from './errors/retry.exception.js';
export { RedisStreamsError } from './errors/redis-streams.error.js';
export { SettledAlreadyError } from './errors/settled-already.error.js';
export { UnexpectedReplyError } from './errors/unexpected-reply.error.js';
export { UnsupportedServerError } from './errors/unsupported-server.error.js';
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
} from './monitor/streams-stats.js';
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
} from './options/retry-options.js';
export type { DeadLettersOptions } from './options/dead-letters-options.js';
export type { RedisStreamsModuleOptions } from './options/module-options.js';
export type {
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
export type { StreamPattern } from './options/stream-pattern.js';
export type {
  DedupOptions,
  HandlersMode,
  StartFrom,
  SubscriptionOptions,
} from './options/subscription-options.js';
export type { RedisStreamsStatus } from './redis/connect/connection-watch.js';
export type { RedisStreamsEvents } from './nest/redis-streams.events.js';
export { REDIS_STREAMS } from './nest/redis-streams.symbol.js';
export { ServerRedisStreams } from './nest/server-redis-streams.js';
export { subscription, type SubscriptionExtras } from './nest/subscription.js';
