import { createRequire } from 'node:module';

import { countdown, inRounds, orderOf, serveTasks } from './serve-tasks.mjs';

const require = createRequire(import.meta.url);
const { ServiceBroker } = require('moleculer');
const { Middleware } = require('@moleculer/channels');

serveTasks(async ({ redisUrl, messages }) => {
  const { done, one } = countdown(messages);
  const broker = new ServiceBroker({
    logger: false,
    middlewares: [Middleware({ adapter: redisUrl })],
  });
  broker.createService({
    name: 'bench',
    channels: {
      orders: async () => one(),
    },
  });
  await broker.start();
  const startedAt = performance.now();
  await inRounds(messages, 50, (n) => broker.sendToChannel('orders', orderOf(n)));
  await done;
  const seconds = (performance.now() - startedAt) / 1000;
  await broker.stop();
  return [messages / seconds];
});
