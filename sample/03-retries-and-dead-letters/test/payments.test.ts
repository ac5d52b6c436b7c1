import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RedisStreamsTesting } from 'nestjs-redis-streams/testing';

import { AppModule } from '../src/app.module.js';
import { Bank } from '../src/bank.js';

let streams: RedisStreamsTesting;

before(async () => {
  // The module's connection does not matter: the kit replaces it.
  streams = await RedisStreamsTesting.create(AppModule.register('redis://production'), {
    logger: false,
    // A machine that is busy with other tests may be slow.
    timeoutMs: 12_000,
  });
});
after(() => streams.close());

test('a bank that is away is asked again', async () => {
  const receipt = await streams.emit('payments', { id: 'away', amount: 20 });
  await streams.retried(receipt, { attempt: 2 });
  assert.equal((await streams.handled(receipt)).attempt, 3);
});

test('a payment of nothing is a dead letter at once', async () => {
  const receipt = await streams.emit('payments', { id: 'empty', amount: 0 });
  assert.equal((await streams.deadLettered(receipt)).reason, 'nothing to pay');
  assert.equal((await streams.historyOf(receipt)).attempts.length, 1);
});

test('what met a bug is paid once that is mended and the dead letter redriven', async () => {
  const receipt = await streams.emit('payments', { id: 'odd', amount: 30 });
  await streams.deadLettered(receipt);
  streams.get(Bank).repair();
  await streams.deadLetters.redrive({
    stream: 'payments',
    filter: ({ messageId }) => messageId === receipt.messageId,
  });
  await streams.handled(receipt);
  await streams.drained();
});
