import type { StreamPattern } from '../options/stream-pattern.js';
import type { RedisStreamsRecord } from '../publish/redis-streams.record.js';

/** Any pattern where the client knows no types of its own (`unknown`, `any`); none where it does. */
export type UntypedPattern<Events> = unknown extends Events ? unknown : never;

/** The streams that a client's type names. */
export type StreamOf<Events> = keyof Events & string;

/** A stream's name, or `{ stream, name }`: names of messages are not typed, all of a stream have its payload. */
export type TypedPattern<Stream extends string> = Stream | (StreamPattern & { stream: Stream });

/** The payload of a stream, plain or in a record. */
export type TypedData<Payload> = Payload | RedisStreamsRecord<Payload>;
