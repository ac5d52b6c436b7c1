import { describe, expect, it } from '@jest/globals';
import { JsonCodec } from '../../lib/wire/json.codec.js';
import { modesFor } from '../../lib/consume/delivery/deliveries-for.js';
import { DeliveryScripts } from '../../lib/consume/delivery/delivery-scripts.js';
import type { DeliveryMode } from '../../lib/consume/delivery/mode.js';
import type { Message } from '../../lib/consume/message.js';
import type { Holder, MessageId, RowId } from '../../lib/wire/ids.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { DEFAULTS } from '../../lib/options/resolved-options.js';
import { redisTimeMs } from '../../lib/redis/server/clocks.js';
import { freshName } from '../support/fresh-name.js';
import { aMessage } from '../support/a-message.js';
import { scriptsOf } from '../../lib/redis/scripts/script.js';
import { redisForTests } from '../support/redis-for-tests.js';

const redis = redisForTests();

const GROUP = 'billing';
const LEASE_MS = 60_000;
/** Published long ago: its age does not prove that no other member has taken it. */
const OLD = '1000000000000-1';

/** A member that was given an old entry, which another one has taken from it since. */
async function memberThatLostIt(entryId = OLD): Promise<{
  readonly mode: DeliveryMode;
  readonly message: Message;
}> {
  const stream = freshName('orders');
  const keys = streamKeys('', stream, GROUP);
  const fields = new JsonCodec().encode(stream, {
    name: 'order',
    payload: 1,
    messageId: 'order-1',
  });
  await redis.client.xadd(keys.stream, entryId, ...fields);
  await redis.client.xgroup('CREATE', keys.stream, GROUP, '0');
  await redis.client.xreadgroup('GROUP', GROUP, 'one', 'STREAMS', keys.stream, '>');
  await redis.client.xclaim(keys.stream, GROUP, 'another', 0, entryId);
  const options = DEFAULTS.subscription;
  const holder = 'one' as Holder;
  const place = { stream, keys, group: GROUP, consumer: 'one', holder, leaseMs: LEASE_MS };
  const scripts = new DeliveryScripts(scriptsOf(redis.client), place);
  const message = aMessage(entryId, 'order-1', { isNew: true });
  return { mode: modesFor(scripts, options).entries, message };
}

describe('an old entry that another member has taken meanwhile', () => {
  it('is left to it, if it was delivered longer ago than a lease lasts', async () => {
    const { mode, message } = await memberThatLostIt();
    const longAgo = (await redisTimeMs(redis.client)) - LEASE_MS - 1;
    const [answer] = await mode.reserve([{ ...message, givenSinceMs: longAgo }]);
    expect(answer?.kind).toBe('leased-elsewhere');
  });

  it('is left to it, if it is unknown when it was delivered', async () => {
    const { mode, message } = await memberThatLostIt();
    const [answer] = await mode.reserve([message]);
    expect(answer?.kind).toBe('leased-elsewhere');
  });

  it('is left to it, if that is known only of other entries in the batch', async () => {
    const { mode, message } = await memberThatLostIt();
    const nowMs = await redisTimeMs(redis.client);
    const fresh = {
      ...message,
      rowId: `${nowMs}-1` as RowId,
      messageId: 'order-2' as MessageId,
      givenSinceMs: nowMs,
    };
    const answers = await mode.reserve([message, fresh]);
    expect(answers.map(({ kind }) => kind)).toEqual(['leased-elsewhere', 'new']);
  });

  it("is left to it, if it was delivered when Redis's clock was ahead", async () => {
    const { mode, message } = await memberThatLostIt();
    const ahead = (await redisTimeMs(redis.client)) + 3_600_000;
    const [answer] = await mode.reserve([{ ...message, givenSinceMs: ahead }]);
    expect(answer?.kind).toBe('leased-elsewhere');
  });

  it("is left to it, if its ID is from when Redis's clock was ahead", async () => {
    const ahead = (await redisTimeMs(redis.client)) + 3_600_000;
    const { mode, message } = await memberThatLostIt(`${ahead}-0`);
    const [answer] = await mode.reserve([message]);
    expect(answer?.kind).toBe('leased-elsewhere');
  });

  it('is not checked, if it was delivered a moment ago: nobody may have taken it yet', async () => {
    const { mode, message } = await memberThatLostIt();
    const now = await redisTimeMs(redis.client);
    const [answer] = await mode.reserve([{ ...message, givenSinceMs: now }]);
    // Shown with something that no member would do: taking it before its time is over.
    expect(answer?.kind).toBe('new');
    expect(mode.shownMs).toBeGreaterThanOrEqual(now);
  });
});
