import { describe } from '@jest/globals';

import { ownRedis } from '../support/own-redis.js';
import { brokerRestart } from './behaviours/broker-restart.js';
import { closing } from './behaviours/closing.js';
import { delivery } from './behaviours/delivery.js';
import { failures } from './behaviours/failures.js';
import { groups } from './behaviours/groups.js';
import { opening } from './behaviours/opening.js';
import { order } from './behaviours/order.js';
import { publishing } from './behaviours/publishing.js';
import type { Configuration } from './configuration.js';
import { oneRedis } from './one-redis.js';
import { redisStreamsBroker } from './redis-streams-broker.js';

const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];

const ifItCanBeKilled = (await ownRedis()) === 'process' ? describe : describe.skip;

/** Everything that a durable publish/subscribe broker must show, for one configuration. */
export function conformanceSuite(configuration: Configuration): void {
  const { name, servers } = configuration;

  describe(`${name}`, () => {
    const redis = servers?.([]) ?? oneRedis(configuration);
    const broker = redisStreamsBroker(configuration, redis);
    for (const behaviours of [delivery, order, failures, groups, publishing, opening, closing]) {
      behaviours(broker);
    }
  });

  ifItCanBeKilled(`${name}, the broker restarted`, () => {
    const redis = servers?.(DURABLE) ?? oneRedis(configuration, DURABLE);
    brokerRestart(redisStreamsBroker(configuration, redis));
  });
}
