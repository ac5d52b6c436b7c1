import { randomUUID } from 'node:crypto';
import type { ChainableCommander, Redis } from 'ioredis';
import { ClientRedisStreams, RedisStreamsRecordBuilder } from 'nestjs-redis-streams';
import { firstValueFrom } from 'rxjs';

import { CONSUMER, fieldsOf, GROUP, payloadOf, STREAM } from './message.js';

/** A kind of row, written as the scripts write it. */
interface Row {
  readonly name: string;
  /** What must exist before, and is not counted. */
  readonly prepare?: (client: Redis, count: number) => Promise<unknown>;
  readonly write: (client: Redis, count: number) => Promise<unknown>;
}

const AT_ONCE = 1_000;
const START = 1_795_251_787_105;
const OF_GROUP = `stream:{${STREAM}}:group:${GROUP}`;
const TOKEN = '3f9c1a07b2d84e5f';
const STACK = `Error: the bank did not answer\n${'    at BankClient.charge (/app/dist/payments/bank.client.js:118:13)\n'.repeat(10)}`;

/** Writes `count` rows, many in a round trip. */
const each =
  (add: (pipeline: ChainableCommander, n: number) => unknown) =>
  async (client: Redis, count: number): Promise<void> => {
    for (let from = 0; from < count; from += AT_ONCE) {
      const pipeline = client.pipeline();
      for (let n = from; n < Math.min(count, from + AT_ONCE); n++) add(pipeline, n);
      await pipeline.exec();
    }
  };

const entryId = (n: number): string => `${START + n}-0`;
const messages = each((pipeline, n) => pipeline.xadd(STREAM, entryId(n), ...fieldsOf(n)));

async function waitingMessages(client: Redis, count: number): Promise<void> {
  await messages(client, count);
  await client.xgroup('CREATE', STREAM, GROUP, '0');
}

async function delayedMessages({ options }: Redis, count: number): Promise<void> {
  const { host = '', port = 0 } = options;
  const client = new ClientRedisStreams({ connection: { host, port } });
  for (let from = 0; from < count; from += AT_ONCE) {
    const records = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, n) =>
      new RedisStreamsRecordBuilder(payloadOf(from + n)).setDelayMs(3_600_000).build(),
    );
    await firstValueFrom(client.emitBatch(STREAM, records));
  }
  await client.close();
}

const deadLetterOf = (n: number): (string | Buffer)[] => [
  ...fieldsOf(n),
  ...Object.entries({
    reason: 'No attempt is left',
    'error-name': 'Error',
    'error-message': 'the bank did not answer',
    'error-stack': STACK,
    attempts: '5',
    'entry-id': entryId(n),
    stream: STREAM,
    group: GROUP,
    consumer: CONSUMER,
    'failed-at': String(START),
  }).flatMap(([name, value]) => [`dead-letter-${name}`, value]),
];

export const ROWS: readonly Row[] = [
  { name: 'entry of the stream: 150 bytes of JSON, UUID', write: messages },
  {
    name: 'recently published (publishDedup): UUID',
    write: each((pipeline, n) =>
      pipeline.zadd(`stream:{${STREAM}}:published`, (START + n) * 2048, randomUUID()),
    ),
  },
  {
    name: 'ledger: UUID',
    write: each((pipeline, n) => pipeline.zadd(`${OF_GROUP}:processed`, START + n, randomUUID())),
  },
  {
    name: 'ledger: entry ID (messages without an ID)',
    write: each((pipeline, n) => pipeline.zadd(`${OF_GROUP}:processed`, START + n, entryId(n))),
  },
  {
    name: 'pending entry',
    prepare: waitingMessages,
    write: each((pipeline) =>
      pipeline.xreadgroup('GROUP', GROUP, CONSUMER, 'COUNT', 1, 'STREAMS', STREAM, '>'),
    ),
  },
  {
    name: 'lease: UUID',
    write: each((pipeline, n) =>
      pipeline.hset(
        `${OF_GROUP}:leases`,
        randomUUID(),
        `${TOKEN} ${entryId(n)} 1 ${START + 60_000}`,
      ),
    ),
  },
  {
    name: 'entry waiting for a retry, with its attempts',
    write: each((pipeline, n) =>
      pipeline
        .zadd(`${OF_GROUP}:retries`, START + n, entryId(n))
        .hset(`${OF_GROUP}:attempts`, entryId(n), '2'),
    ),
  },
  {
    name: `dead letter: the entry, and a stack of ${STACK.length} bytes`,
    write: each((pipeline, n) =>
      pipeline.xadd(`${OF_GROUP}:dead-letters`, '*', ...deadLetterOf(n)),
    ),
  },
  { name: 'delayed message: 150 bytes of JSON, UUID', write: delayedMessages },
];
