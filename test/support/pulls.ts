import { afterEach } from '@jest/globals';
import { Logger } from '@nestjs/common';

import {
  type PulledMessage,
  type PulledMessages,
  RedisStreamsPull,
  type RedisStreamsPullOptions,
} from '../../lib/index.js';
import { recordedLog } from './recorded-log.js';
import type { RedisForTests } from './redis-for-tests.js';

export const GROUP = 'billing';

/** Makes pulls without an app around them, which are closed after each test. Their log goes to {@link recordedLog}. */
export function pullsForTests(
  redis: RedisForTests,
): (options?: Partial<RedisStreamsPullOptions>) => RedisStreamsPull {
  const pulls = new Set<RedisStreamsPull>();
  afterEach(async () => {
    await Promise.all([...pulls].map((pull) => pull.close()));
    pulls.clear();
  });
  return (options = {}) => {
    Logger.overrideLogger(recordedLog);
    const pull = new RedisStreamsPull({
      connection: redis.url,
      group: GROUP,
      startFrom: 'beginning',
      shutdown: { drainTimeoutMs: 500 },
      ...options,
    });
    pulls.add(pull);
    return pull;
  };
}

/** The next message. @throws if the loop has ended */
export async function nextOf<Payload>(
  messages: PulledMessages<Payload>,
): Promise<PulledMessage<Payload>> {
  const { done, value } = await messages.next();
  if (done === true) throw new Error('The loop has ended');
  return value;
}
