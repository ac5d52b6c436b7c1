import { describe, expect, it } from '@jest/globals';

import { InvalidOptionsError, subscription } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { startMember } from './member.js';
import { together } from './mode.js';
import { MODES } from './modes.js';
import { serversForTests, startOneServer } from './servers.js';
import { resolveModuleOptions } from '../../lib/options/resolve-options.js';

const { atMostOnce, blocking, partitions, wildcard, requests, oneField } = MODES;
const servers = serversForTests(() => startOneServer(0));

async function refusal(start: () => unknown): Promise<InvalidOptionsError> {
  const error = await Promise.resolve()
    .then(start)
    .catch((thrown: unknown) => thrown);
  if (error instanceof InvalidOptionsError) return error;
  throw new Error(`It was not refused: ${String(error)}`);
}

describe('modes that contradict each other are refused', () => {
  it.each([
    [atMostOnce, blocking, 'subscription.retry.blocking'],
    [partitions, wildcard, 'partitions'],
    [requests, oneField, 'codec'],
  ])('$name × $name', async (one, other, path) => {
    const mode = together(one, other);
    if (mode === undefined) throw new Error('They set the same');
    const { address } = servers();
    const place = { address, stream: freshName('stream'), group: freshName('group') };
    const error = await refusal(() => startMember(mode, place, { on: () => undefined }));
    expect(error.path).toContain(path);
  });

  it('at most once and blocking retries, wherever they are combined', async () => {
    const both = { delivery: 'at-most-once', retry: { blocking: true } } as const;
    expect((await refusal(() => subscription(both))).path).toBe('subscription.retry.blocking');
    const module = await refusal(() => resolveModuleOptions({ group: 'billing', ...both }));
    expect(module.path).toBe('retry.blocking');
    expect(module.message).toContain('tries nothing again');
  });

  it('partitions under the name of a wildcard', async () => {
    const streams = { 'orders.*': { partitions: 2 } };
    const error = await refusal(() => resolveModuleOptions({ group: 'billing', streams }));
    expect(error.path).toBe('streams.orders.*.partitions');
    expect(error.message).toContain('full name');
  });
});
