import type { Redis } from 'ioredis';

import type { RedisStreamsModuleOptions } from '../../lib/index.js';
import { handlerOf, type StreamsApp, streamsApp } from './streams-app.js';

/** What a handler received. */
export interface Handled {
  readonly payload: unknown;
  readonly messageId: string;
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  readonly entryId: string;
  readonly partition: number | undefined;
}

/** An app with a handler that records what it receives. */
export interface RecordingApp extends StreamsApp {
  readonly handled: Handled[];
}

/** Starts an app with one handler for `stream`. */
export async function recordingApp(
  stream: string,
  options: RedisStreamsModuleOptions,
): Promise<RecordingApp> {
  const handled: Handled[] = [];
  const record = handlerOf(stream, (payload, context) => {
    handled.push({
      payload,
      messageId: context.getMessageId(),
      name: context.getName(),
      headers: context.getHeaders(),
      metadata: context.getMetadata(),
      entryId: context.getEntryId(),
      partition: context.getPartition(),
    });
  });
  const app = await streamsApp(options, { controllers: [record] });
  return { ...app, handled };
}

/** The fields of the newest entry, as bytes. */
export async function lastFields(client: Redis, stream: string): Promise<Buffer[]> {
  const [entry] = await client.xrevrangeBuffer(stream, '+', '-', 'COUNT', 1);
  return entry?.[1] ?? [];
}
