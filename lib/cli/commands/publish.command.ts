import { createInterface } from 'node:readline';
import { text as readAll } from 'node:stream/consumers';
import type { LoggerService } from '@nestjs/common';
import type { Command } from 'commander';
import { visible } from '../../errors/thrown.js';
import { resolveClientOptions } from '../../options/resolve-options.js';
import { MessageEncoder } from '../../publish/message-encoder.js';
import { MessagePublisher } from '../../publish/message-publisher.js';
import {
  type RedisStreamsRecord,
  RedisStreamsRecordBuilder,
} from '../../publish/redis-streams.record.js';
import { RoutingPublisher } from '../../publish/routing-publisher.js';
import { errorText } from '../../redis/server/redis-errors.js';
import { CliError, UsageError } from '../cli.error.js';
import { openBar } from '../output/terminal.js';
import { counted } from '../output/text.js';
import { knownPartitions } from '../reading/streams.js';
import { Session } from '../session.js';

interface Flags {
  readonly messageId?: string;
  readonly name?: string;
  readonly key?: string;
  readonly header?: readonly string[];
  readonly text?: boolean;
  readonly lines?: boolean;
  readonly partitions?: number;
}

/** How many lines are published together. */
const PAGE = 1_000;

/** What a service would log is no output of this command. */
const SILENT: LoggerService = {
  log: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export function publish(
  stream: string,
  given: string | undefined,
  flags: Flags,
  command: Command,
): Promise<void> {
  const headers = headersOf(flags.header ?? []);
  const { lines = false, messageId, key, partitions } = flags;
  if (lines && [given, messageId, key].some((option) => option !== undefined)) {
    throw new UsageError(
      '--lines reads the messages from stdin: leave out the payload, --message-id and --key',
    );
  }
  return Session.with(command, async (session) => {
    await checkPartitions(session, stream, partitions);
    const { publisher, messages } = openPublisher(session, stream, partitions);
    try {
      if (lines) return await publishLines(session, messages, stream, flags, headers);
      const payload = parsed(
        given ?? (await readAll(process.stdin)),
        flags,
        (why) => `the payload is not JSON (${why}); --text takes it as plain text`,
      );
      const data = recordOf(payload, flags, headers);
      const receipt = await messages.publish({ pattern: stream, data });
      session.answer(receipt, () => {
        const id = visible(receipt.messageId);
        if (receipt.entryId === null) {
          return `Message ${id} already waits to be published later: nothing was written.`;
        }
        return receipt.duplicate
          ? `Message ${id} was published before, as entry ${receipt.entryId}: nothing was written.`
          : `Published entry ${receipt.entryId}, message ${id}.`;
      });
    } finally {
      await publisher.close();
    }
  });
}

/** Refuses to publish where the stream's consumers would not read it. */
async function checkPartitions(
  session: Session,
  stream: string,
  given: number | undefined,
): Promise<void> {
  const { noted, isPartitioned } = await knownPartitions(session, stream);
  if (given === undefined && isPartitioned) {
    throw new UsageError(
      `stream "${stream}" has partitions: add --partitions ${noted ?? '<count>, the number that its services use'}`,
    );
  }
  if (given !== undefined && noted !== undefined && given !== noted) {
    throw new UsageError(
      `--partitions ${given}: the consumers of stream "${stream}" have ${noted}`,
    );
  }
}

/** The publishing half of ClientRedisStreams: loading Nest would triple the time that this command takes. */
function openPublisher(
  { client, prefix, codec, timeoutMs }: Session,
  stream: string,
  partitions: number | undefined,
): { publisher: RoutingPublisher; messages: MessagePublisher } {
  const options = resolveClientOptions({
    keyPrefix: prefix,
    codec,
    publishTimeoutMs: timeoutMs,
    streams: partitions === undefined ? {} : { [stream]: { partitions } },
  });
  const publisher = new RoutingPublisher(client, options, SILENT);
  const messages = new MessagePublisher(new MessageEncoder(options), () => publisher);
  return { publisher, messages };
}

async function publishLines(
  session: Session,
  messages: MessagePublisher,
  stream: string,
  flags: Flags,
  headers: Record<string, string>,
): Promise<void> {
  const bar = await openBar('Publishing', 0);
  let [published, duplicates, read] = [0, 0, 0];
  let page: RedisStreamsRecord[] = [];
  const send = async (): Promise<void> => {
    const receipts = await messages.publishBatch(stream, page, (data) => ({
      pattern: stream,
      data,
    }));
    const before = receipts.filter(({ duplicate }) => duplicate).length;
    published += receipts.length - before;
    duplicates += before;
    page = [];
    bar.to(published, read);
  };
  try {
    for await (const line of createInterface({ input: process.stdin })) {
      read += 1;
      if (line.trim() === '') continue;
      const payload = await parsedLine(line, read, flags, send);
      page.push(recordOf(payload, flags, headers));
      if (page.length === PAGE) await send();
    }
    if (page.length > 0) await send();
  } finally {
    bar.end();
  }
  const before = duplicates === 0 ? '' : `; ${duplicates} were published before`;
  session.answer(
    { published, duplicates },
    () => `Published ${counted(published, 'message')}${before}.`,
  );
}

/** Parses a line. If it is not JSON, the lines before it are published first, as the error says. */
async function parsedLine(
  line: string,
  number: number,
  flags: Flags,
  send: () => Promise<void>,
): Promise<unknown> {
  try {
    return parsed(
      line,
      flags,
      (why) =>
        `line ${number} is not JSON (${why}); --text takes it as plain text. The lines before it are published`,
    );
  } catch (error) {
    await send();
    throw new CliError(errorText(error));
  }
}

function parsed(given: string, flags: Flags, words: (why: string) => string): unknown {
  if (flags.text === true) return given;
  try {
    return JSON.parse(given);
  } catch (error) {
    throw new UsageError(words(errorText(error)));
  }
}

function recordOf(
  payload: unknown,
  { messageId, name, key }: Flags,
  headers: Record<string, string>,
): RedisStreamsRecord {
  const builder = new RedisStreamsRecordBuilder(payload);
  if (messageId !== undefined) builder.setMessageId(messageId);
  if (name !== undefined) builder.setName(name);
  if (key !== undefined) builder.setKey(key);
  return Object.keys(headers).length === 0 ? builder.build() : builder.setHeaders(headers).build();
}

function headersOf(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((header) => {
      const at = header.indexOf('=');
      if (at < 1) throw new UsageError(`--header "${header}" has to look like name=value`);
      return [header.slice(0, at), header.slice(at + 1)];
    }),
  );
}
