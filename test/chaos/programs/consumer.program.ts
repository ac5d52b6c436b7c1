import { clockOffsetMs } from './host-clock.js';

import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { RedisStreamsContext, RedisStreamsModule, ServerRedisStreams } from 'nestjs-redis-streams';

import { setupOfThisProcess } from './setup.js';

// A member of a group that writes each of its runs into a journal. The message says what to do with it.
const setup = await setupOfThisProcess();

interface Work {
  readonly workMs?: number;
  /** How many attempts fail. */
  readonly fails?: number;
  /** Whether it kills its process. */
  readonly poison?: boolean;
}

let runs = 0;

// To a file, synchronously: it is there even if this process is killed at its next instruction.
function write(run: number, what: string, context: RedisStreamsContext, detail: string): void {
  const at = process.hrtime.bigint();
  const line = [process.pid, run, what, context.getMessageId(), context.getEntryId()];
  appendFileSync(setup.journal, `${[...line, context.getAttempt(), at, detail].join('\t')}\n`);
}

@Controller()
class Orders {
  @EventPattern<string>(setup.stream)
  async on(@Payload() work: Work, @Ctx() context: RedisStreamsContext): Promise<void> {
    const run = ++runs;
    write(run, 'start', context, JSON.stringify(work));
    if (work.poison === true) process.exit(66);
    const workMs = setup.workMs ?? work.workMs ?? 0;
    if (workMs !== 0) await delay(workMs);
    if (context.getAttempt() <= (work.fails ?? 0)) {
      write(run, 'failed', context, '');
      throw new Error('as requested');
    }
    write(run, 'handled', context, '');
  }
}

@Module({
  imports: [
    RedisStreamsModule.forRoot({
      connection: setup.redisUrl,
      group: setup.group,
      startFrom: 'beginning',
      ...setup.options,
    }),
  ],
  controllers: [Orders],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['log', 'warn', 'error'] });
app.enableShutdownHooks();
app.connectMicroservice({ strategy: app.get(ServerRedisStreams) }, { inheritAppConfig: true });
await app.startAllMicroservices();
await app.init();
process.stdout.write(`ready, ${clockOffsetMs} ms off\n`);
