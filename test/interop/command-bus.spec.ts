import { randomUUID } from 'node:crypto';

import { afterEach, describe, expect, it } from '@jest/globals';
import type { DynamicModule, INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServerRedisStreams } from 'nestjs-redis-streams';

import { MailModule } from '../../sample/04-cqrs/src/mail/mail.module.js';
import { CreateUser } from '../../sample/04-cqrs/src/messages.js';
import { StreamedCommands } from '../../sample/04-cqrs/src/streamed-commands.js';
import { UsersModule } from '../../sample/04-cqrs/src/users/users.module.js';
import { isCaughtUp } from '../support/group-state.js';
import { ownRedis } from '../support/own-redis.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';
import { python, type Run, withPython } from './partner.js';

/** The sample's streams and groups have fixed names, so it needs a Redis that no other test uses. */
const hasOwnRedis = (await ownRedis()) !== 'none';
const describeSample = hasOwnRedis ? describe : describe.skip;

const COMMANDS = 'sample-04:command.CreateUser';
const EVENTS = 'sample-04:event.UserCreated';
const KEY = '_natricine_message_uuid';
const opened: INestApplication[] = [];

async function start(module: DynamicModule): Promise<INestApplication> {
  const app = await NestFactory.create(module, { logger: recordedLog, abortOnError: false });
  opened.push(app);
  app.connectMicroservice({ strategy: app.get(ServerRedisStreams) }, { inheritAppConfig: true });
  await app.startAllMicroservices();
  return app.init();
}
const sendCommand = async (app: INestApplication, command: CreateUser) =>
  app.get(StreamedCommands, { strict: false }).send(command);

describeSample("sample 04-cqrs and natricine's command bus", () => {
  const redis = redisForTests({ args: [] });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((app) => app.close()));
    await redis.client.flushall();
  });

  it('a command of the sample is an entry as the command bus reads it, in a stream of its own', async () => {
    const mail = await start(MailModule.register(redis.url));
    const command = new CreateUser(randomUUID(), 'Ada 🚆');
    await sendCommand(mail, command);
    const [entry] = await redis.client.xrangeBuffer(COMMANDS, '-', '+');
    expect(entry?.[1].slice(0, 5).map(String)).toEqual([
      KEY,
      command.id,
      'payload',
      `{"id":"${command.id}","name":"Ada 🚆"}`,
      'metadata',
    ]);
    // A map with one entry: name, and the stream's name. The command bus does not look at it.
    expect(entry?.[1][5]?.toString('hex')).toBe(
      `81a46e616d65b2${Buffer.from('command.CreateUser').toString('hex')}`,
    );
    expect(entry?.[1]).toHaveLength(6);
  });

  it('an entry of the command bus is executed once, and its event is an entry as the event bus reads it', async () => {
    await start(UsersModule.register(redis.url));
    const [uuid, id] = [randomUUID(), randomUUID()];
    const payload = `{"id":"${id}","name":"Guido"}`;
    for (const _ of [1, 2]) {
      await redis.client.xadd(COMMANDS, '*', KEY, uuid, 'payload', payload);
    }
    await waitFor(() => isCaughtUp(redis.client, COMMANDS, 'users'));
    const events = await redis.client.xrange(EVENTS, '-', '+');
    expect(events.map(([, fields]) => fields.slice(0, 5))).toEqual([
      [KEY, id, 'payload', payload, 'metadata'],
    ]);
  });

  withPython()('from a program in Python', () => {
    const natricine: Run = (words, lines) => python('natricine.py', redis.url)(words, lines);

    it('exchange commands in both directions', async () => {
      const users = await start(UsersModule.register(redis.url));
      const id = randomUUID();
      await natricine(['send', 'sample-04:command.'], [{ id, name: 'Guido' }]);
      await waitFor(() => isCaughtUp(redis.client, COMMANDS, 'users'));
      expect(await natricine(['subscribe', EVENTS, 'python', '1'])).toMatchObject([
        { uuid: id, payload: Buffer.from(`{"id":"${id}","name":"Guido"}`).toString('base64') },
      ]);

      const command = new CreateUser(randomUUID(), 'Ada 🚆');
      await sendCommand(users, command);
      const words = ['handle', 'sample-04:command.', 'CreateUser', 'python', '2'];
      expect(await natricine(words)).toMatchObject([
        { command: { id, name: 'Guido' } },
        { uuid: command.id, command: { ...command } },
      ]);
    });
  });
});
