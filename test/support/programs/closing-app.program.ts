import { setTimeout as delay } from 'node:timers/promises';

import { Controller, Inject, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import { RedisStreamsModule, ServerRedisStreams } from 'nestjs-redis-streams';

// An app whose handler takes a while and then needs another provider: for the tests of what a signal does to
// it.
const { REDIS_URL = '', STREAM = '', DATABASE = 'before', IS_GLOBAL } = process.env;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

@Injectable()
class Database implements OnModuleDestroy {
  private open = true;

  write(): void {
    say(this.open ? 'written' : 'database gone');
    if (!this.open) throw new Error('database gone');
  }

  onModuleDestroy(): void {
    say('database closes');
    this.open = false;
  }
}

@Module({ providers: [Database], exports: [Database] })
class DatabaseModule {}

@Controller()
class Orders {
  constructor(@Inject(Database) private readonly database: Database) {}

  @EventPattern<string>(STREAM)
  async on(): Promise<void> {
    say('started');
    await delay(500);
    this.database.write();
  }
}

const streams = RedisStreamsModule.forRoot({
  connection: REDIS_URL,
  group: 'billing',
  isGlobal: IS_GLOBAL === 'yes',
});

@Module({
  imports:
    DATABASE === 'before'
      ? [DatabaseModule, streams]
      : DATABASE === 'after'
        ? [streams, DatabaseModule]
        : [streams],
  providers: DATABASE === 'in root' ? [Database] : [],
  controllers: [Orders],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.enableShutdownHooks();
app.connectMicroservice({ strategy: app.get(ServerRedisStreams) }, { inheritAppConfig: true });
await app.startAllMicroservices();
await app.init();
say('ready');
