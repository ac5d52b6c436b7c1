import type { Group } from './group.js';
import { aside, BREAKABLE, type Breakable } from './refusal.js';
import type { Step } from './step.js';

/** Another program writes over a key, and later somebody puts it right. */
export const keySteps = {
  breakKey: async (group, _member, { pick }) => {
    const key = BREAKABLE[pick]!;
    if (group.brokenKey !== undefined) return;
    await group.change(`${key} becomes another type`, async () => {
      const { client, keys } = group;
      if ((await client.exists(keys[key])) === 1)
        await client.rename(keys[key], aside(group.keys, key));
      await (key === 'position' ? client.rpush(keys[key], 'x') : client.set(keys[key], 'x'));
      group.brokenKey = key;
    });
  },

  /** What was in the key is back, or lost. */
  mendKey: async (group, _member, { many }) => {
    const key = group.brokenKey;
    if (key === undefined) return;
    const isLost = many;
    await group.change(`${key} is ${isLost ? 'deleted' : 'put back'}`, async () => {
      const { client, keys } = group;
      await client.del(keys[key]);
      if (isLost) await client.del(aside(group.keys, key));
      else if ((await client.exists(aside(group.keys, key))) === 1)
        await client.rename(aside(group.keys, key), keys[key]);
      group.brokenKey = undefined;
      if (isLost) await forget(group, key);
    });
  },
} satisfies Record<string, Step>;

/** The model knows no more than Redis. */
async function forget(group: Group, key: Breakable): Promise<void> {
  const { state } = group.model;
  if (key === 'retries' || key === 'attempts' || key === 'leases') state[key] = {};
  // Some messages may be in the other part of the ledger.
  if (key === 'ledger' || key === 'packedLedger') state.ledger = (await group.read()).ledger;
}
