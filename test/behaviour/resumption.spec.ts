import { describe, expect, it } from '@jest/globals';

import type { Member } from '../../lib/consume/member.js';
import type { Pipeline } from '../../lib/consume/pipeline.js';
import { Resumption } from '../../lib/consume/sources/resumption.js';
import { Demand } from '../../lib/consume/waiting.js';
import type { RawEntry } from '../../lib/redis/read/replies.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';

const GROUP = 'billing';
const redis = redisForTests();

describe('a resumption', () => {
  it('that begins again while its first page is on its way asks for what became pending after that page', async () => {
    const keys = streamKeys('', freshName('orders'), GROUP);
    await redis.client.xgroup('CREATE', keys.stream, GROUP, '0', 'MKSTREAM');
    const id = await redis.client.xadd(keys.stream, '*', 'n', '1');
    const brought: string[] = [];
    const pipeline = {
      keys,
      room: 10,
      place: {},
      inHand: { snapshot: () => new Set() },
      deliveries: { mode: { countsPendingAsStarted: false } },
      offer: (entries: readonly RawEntry[]) => brought.push(...entries.map((entry) => entry.id)),
    } as unknown as Pipeline;
    const member = { group: GROUP, consumer: 'one', token: 'token', startedAtMs: 0 } as Member;
    const resumption = new Resumption(member, new Demand());

    resumption.restart(pipeline);
    const firstPage = resumption.bringPage(redis.client, pipeline);
    // Its answer is lost with a connection, and so it is pending.
    await redis.client.xreadgroup('GROUP', GROUP, 'one', 'STREAMS', keys.stream, '>');
    resumption.restart(pipeline);
    await firstPage;
    expect(brought).toEqual([]);
    expect(resumption.isOpen(pipeline)).toBe(true);

    await resumption.bringPage(redis.client, pipeline);
    expect(brought).toEqual([id]);
    expect(resumption.isOpen(pipeline)).toBe(false);
  });
});
