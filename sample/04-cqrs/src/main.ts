import { randomUUID } from 'node:crypto';

import { type INestApplication, Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { StreamsMonitor } from 'nestjs-redis-streams';
import { startRedis } from 'nestjs-redis-streams/testing';

import { AuditModule } from './audit/audit.module.js';
import { MailModule } from './mail/mail.module.js';
import { CreateUser, PostLetter } from './messages.js';
import { natricineHandles, natricineSends } from './natricine.js';
import { startService } from './start-service.js';
import { StreamedCommands } from './streamed-commands.js';
import { until } from './until.js';
import { UsersModule } from './users/users.module.js';

const logger = new Logger('Sample');
const NAMES = ['Ada', 'Grace', 'Edsger', 'Barbara'];

const redis = await startRedis();
const raw = new Redis(redis.url);
// Two instances of users share the commands; mail and audit each get every event.
const users = await Promise.all([1, 2].map(() => startService(UsersModule.register(redis.url))));
const mail = await startService(MailModule.register(redis.url));
const audit = await startService(AuditModule.register(redis.url));

const handledBy = (...services: INestApplication[]): number =>
  services.reduce((sum, app) => sum + app.get(StreamsMonitor).getStats().counts.handled, 0);

// Any service may send a command: here it is the mail service.
const commands = mail.get(StreamedCommands, { strict: false });
const sent = NAMES.map((name) => new CreateUser(randomUUID(), name));
await Promise.all(sent.map((command) => commands.send(command)));
// Sending a command again makes no second command.
const again = await Promise.all(sent.map((command) => commands.send(command)));
logger.log(`sent twice, known as duplicates: ${again.every(({ duplicate }) => duplicate)}`);

// A service in Python sends a command, and handles one.
await natricineSends(raw, new CreateUser(randomUUID(), 'Guido'));
await commands.send(new PostLetter(randomUUID(), 'Ada'));
const [letter] = await natricineHandles(raw, PostLetter);
new Logger('Python').log(`posted a letter: ${letter}`);

const all = NAMES.length + 1;
await until(() => [handledBy(...users), handledBy(mail), handledBy(audit)].every((n) => n === all));
logger.log(`commands executed: ${handledBy(...users)}, by two instances`);
logger.log(`events handled: mail ${handledBy(mail)}, audit ${handledBy(audit)}`);

await Promise.all([...users, mail, audit].map((app) => app.close()));
await raw.quit();
await redis.stop();
