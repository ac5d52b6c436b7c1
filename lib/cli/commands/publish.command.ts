import { createInterface } from 'node:readline';
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { Observable } from 'rxjs';
import type { ClientRedisStreams } from '../../nest/client-redis-streams.js';
import {
  type RedisStreamsRecord,
  RedisStreamsRecordBuilder,
} from '../../publish/redis-streams.record.js';
import type { RedisStreamsClientOptions } from '../../options/client-options.js';
import { errorText } from '../../redis/server/redis-errors.js';
import { MOST_PARTITIONS } from '../../options/resolved-options.js';
import { collect, wholeNumber } from '../arguments.js';
import { CliError, UsageError } from '../cli.error.js';
import { openBar } from '../output/bar.js';
import { visible } from '../output/visible.js';
import { knownPartitions } from '../reading/partitions-of.js';
import { quietNest } from '../quiet-nest.js';
import { Session } from '../session.js';
import * as text from './commands.messages.js';

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

export function publishCommand(program: Command): void {
  program
    .command('publish')
    .summary('publish a message')
    .description(text.PUBLISH)
    .argument('<stream>', "the stream's name, without --prefix")
    .argument('[message]', 'the payload, as JSON; else it is read from stdin')
    .option('--message-id <id>', 'its message ID; else a UUID is made')
    .option('--name <name>', "what kind of message it is; else the stream's name")
    .option('--key <key>', 'the ordering key')
    .option('--header <name=value>', 'a header; may be given several times', collect)
    .option('--text', 'the payload is text and no JSON')
    .option('--lines', 'each line of stdin is a message')
    .option(
      '--partitions <count>',
      "over how many keys its services spread the stream: the client's option",
      wholeNumber(1, MOST_PARTITIONS),
    )
    .addHelpText(
      'after',
      text.example(
        `publish orders '{"item":"tea"}' --name order.created`,
        'publish orders --lines < orders.ndjson',
      ),
    )
    .action((stream: string, given: string | undefined, flags: Flags, command: Command) => {
      const headers = headersOf(flags.header ?? []);
      const { lines = false, messageId, key } = flags;
      if (lines && [given, messageId, key].some((option) => option !== undefined)) {
        throw new UsageError(text.LINES_FROM_STDIN);
      }
      return Session.with(command, async (session) => {
        const { partitions } = flags;
        await mustBePlaced(session, stream, partitions);
        const client = await openClient({
          connection: session.client,
          keyPrefix: session.prefix,
          codec: session.codec,
          publishTimeoutMs: session.timeoutMs,
          streams: partitions === undefined ? {} : { [stream]: { partitions } },
        });
        try {
          if (lines) return await publishLines(session, client, stream, flags, headers);
          const payload = parsed(
            given ?? (await readAll(process.stdin)),
            flags,
            text.payloadNotJson,
          );
          const receipt = await answerOf(client.emit(stream, recordOf(payload, flags, headers)));
          session.answer(receipt, () =>
            text.published(receipt.entryId, visible(receipt.messageId), receipt.duplicate),
          );
        } finally {
          await client.close();
        }
      });
    });
}

/** What is published to a stream itself is read by nobody who reads its partitions. */
async function mustBePlaced(
  session: Session,
  stream: string,
  partitions: number | undefined,
): Promise<void> {
  const { noted, isPartitioned } = await knownPartitions(session, stream);
  if (partitions === undefined && isPartitioned) {
    throw new UsageError(text.needsPartitions(stream, noted));
  }
  if (partitions !== undefined && noted !== undefined && partitions !== noted) {
    throw new UsageError(text.otherPartitions(stream, partitions, noted));
  }
}

// RxJS is a part of that.
async function answerOf<Answer>(answer: Observable<Answer>): Promise<Answer> {
  const { lastValueFrom } = await import('rxjs');
  return lastValueFrom(answer);
}

// Nest takes a while to load, which no other command should pay for.
async function openClient(options: RedisStreamsClientOptions): Promise<ClientRedisStreams> {
  await quietNest();
  const { ClientRedisStreams } = await import('../../nest/client-redis-streams.js');
  return new ClientRedisStreams(options);
}

async function publishLines(
  session: Session,
  client: ClientRedisStreams,
  stream: string,
  flags: Flags,
  headers: Record<string, string>,
): Promise<void> {
  const bar = openBar('Publishing', 0);
  let [published, duplicates, read] = [0, 0, 0];
  let page: RedisStreamsRecord[] = [];
  const send = async (): Promise<void> => {
    const receipts = await answerOf(client.emitBatch(stream, page));
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
  session.answer({ published, duplicates }, () => text.publishedLines(published, duplicates));
}

// What stands before a line that is wrong is published, as the error says.
async function parsedLine(
  line: string,
  number: number,
  flags: Flags,
  send: () => Promise<void>,
): Promise<unknown> {
  try {
    return parsed(line, flags, (why) => text.lineNotJson(number, why));
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
      if (at < 1) throw new UsageError(text.headerMalformed(header));
      return [header.slice(0, at), header.slice(at + 1)];
    }),
  );
}
