import { Logger } from '@nestjs/common';
import { ClientRedisStreams, DeadLetters, StreamsMonitor } from 'nestjs-redis-streams';
import { startRedis } from 'nestjs-redis-streams/testing';
import { lastValueFrom } from 'rxjs';

import { AppModule } from './app.module.js';
import { Bank } from './bank.js';
import type { Events, Payment } from './payment.js';
import { startService } from './start-service.js';
import { until } from './until.js';

const logger = new Logger('Sample');
const PAYMENTS: readonly Payment[] = [
  { id: 'plain', amount: 10 },
  { id: 'away', amount: 20 },
  { id: 'odd', amount: 30 },
  { id: 'empty', amount: 0 },
];

const redis = await startRedis();
const app = await startService(AppModule.register(redis.url));
const client = app.get<ClientRedisStreams<Events>>(ClientRedisStreams);
const deadLetters = app.get(DeadLetters);
const counts = () => app.get(StreamsMonitor).getStats().counts;

await lastValueFrom(client.emitBatch('payments', PAYMENTS));
await until(() => counts().handled + counts().deadLettered === PAYMENTS.length);

for (const { reason, error, attempts, payload } of await deadLetters.list({ stream: 'payments' })) {
  const message = error?.message ?? 'nothing';
  logger.log(
    `Dead letter ${JSON.stringify(payload)}: ${reason} (${message}; attempts: ${attempts})`,
  );
}

logger.log('The bank is repaired: the payment that hit its bug is redriven, in this group only');
app.get(Bank).repair();
const { redriven } = await deadLetters.redrive({
  stream: 'payments',
  filter: ({ error }) => error?.message === 'the bank has a bug',
});
await until(async () => (await deadLetters.count({ stream: 'payments' })) === 1);
const { handled, retried, deadLettered } = counts();
logger.log(
  `Redriven: ${redriven}. Handled: ${handled}, retried: ${retried}, dead letters: ${deadLettered}`,
);
// The remaining payment can never be paid.
const { purged } = await deadLetters.purge({ stream: 'payments' });
logger.log(`Purged: ${purged}`);

await app.close();
await redis.stop();
