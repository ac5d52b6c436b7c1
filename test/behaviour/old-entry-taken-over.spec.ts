import { describe, expect, it } from '@jest/globals';

import { JsonCodec } from '../../lib/wire/json.codec.js';
import { Reserver } from '../../lib/consume/reserver.js';
import type { StreamMessage } from '../../lib/consume/stream-message.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { DEFAULTS } from '../../lib/options/defaults.js';
import { redisTimeMs } from '../../lib/redis/server/redis-time.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';

const redis = redisForTests();

const GROUP = 'billing';
const LEASE_MS = 60_000;
/** Published long ago: its age does not prove that no other member has taken it. */
const OLD = '1000000000000-1';

/** A member that was given an old entry, which another one has taken from it since. */
async function memberThatLostIt(): Promise<{
  readonly reserver: Reserver;
  readonly message: StreamMessage;
}> {
  const stream = freshName('orders');
  const keys = streamKeys('', stream, GROUP);
  const fields = new JsonCodec().encode(stream, {
    name: 'order',
    payload: 1,
    messageId: 'order-1',
  });
  await redis.client.xadd(keys.stream, OLD, ...fields);
  await redis.client.xgroup('CREATE', keys.stream, GROUP, '0');
  await redis.client.xreadgroup('GROUP', GROUP, 'one', 'STREAMS', keys.stream, '>');
  await redis.client.xclaim(keys.stream, GROUP, 'another', 0, OLD);
  const options = DEFAULTS.subscription;
  const parts = { client: redis.client, keys, group: GROUP, options, leaseMs: LEASE_MS };
  const message: StreamMessage = {
    entryId: OLD,
    originalEntryId: OLD,
    messageId: 'order-1',
    envelope: { name: 'order', payload: 1, messageId: 'order-1' },
    fields: [],
    isNew: true,
    attempt: 1,
    alone: false,
  };
  return { reserver: new Reserver({ ...parts, consumer: 'one', token: 'one' }), message };
}

describe('an old entry that another member has taken meanwhile', () => {
  it('is left to it, if it was delivered longer ago than a lease lasts', async () => {
    const { reserver, message } = await memberThatLostIt();
    const longAgo = (await redisTimeMs(redis.client)) - LEASE_MS - 1;
    const [answer] = await reserver.reserve([{ ...message, givenSinceMs: longAgo }]);
    expect(answer?.kind).toBe('leased-elsewhere');
  });

  it('is left to it, if it is unknown when it was delivered', async () => {
    const { reserver, message } = await memberThatLostIt();
    const [answer] = await reserver.reserve([message]);
    expect(answer?.kind).toBe('leased-elsewhere');
  });

  it('is left to it, if that is known only of other entries in the batch', async () => {
    const { reserver, message } = await memberThatLostIt();
    const fresh = {
      ...message,
      entryId: '4102444800000-1',
      messageId: 'order-2',
      givenSinceMs: await redisTimeMs(redis.client),
    };
    const answers = await reserver.reserve([message, fresh]);
    expect(answers.map(({ kind }) => kind)).toEqual(['leased-elsewhere', 'new']);
  });

  it('is not checked, if it was delivered a moment ago: nobody may have taken it yet', async () => {
    const { reserver, message } = await memberThatLostIt();
    const now = await redisTimeMs(redis.client);
    const [answer] = await reserver.reserve([{ ...message, givenSinceMs: now }]);
    // Shown with something that no member would do: taking it before its time is over.
    expect(answer?.kind).toBe('new');
    expect(reserver.shownMs).toBeGreaterThanOrEqual(now);
  });
});
