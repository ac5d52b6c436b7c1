import type { StreamPattern } from '../options/stream-pattern.js';
import type { RedisStreamsRecord } from '../publish/redis-streams.record.js';

/** Any pattern, if the client has no types of its own (`unknown`, `any`); none if it has. */
export type UntypedPattern<Events> = unknown extends Events ? unknown : never;

/** The streams that a client's type names. */
export type StreamOf<Events> = keyof Events & string;

/** A stream's name, or `{ stream, name }`. Names of messages are not typed: all messages of a stream have its payload type. */
export type TypedPattern<Stream extends string> = Stream | (StreamPattern & { stream: Stream });

export type TypedData<Payload> = Payload | RedisStreamsRecord<Payload>;
