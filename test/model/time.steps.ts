import { packLedgerScript } from '../../lib/redis/scripts/ledger/pack-ledger.script.js';
import { purgeLedgerScript } from '../../lib/redis/scripts/ledger/purge.script.js';
import { sweepPackedScript } from '../../lib/redis/scripts/ledger/sweep-packed.script.js';
import { setPackedTimes } from '../support/packed-ledger.js';
import type { Ids } from './model.js';
import type { Group } from './group.js';
import { LONG_MS } from './state.js';
import type { Step } from './step.js';

/** The effects of an hour on Redis's clock are written into Redis, so that the test need not wait. */
export const timeSteps = {
  /** A consumer hangs, or is cut off: its leases end, and its pending entries have long been idle. */
  stall: (group, member, { many, pick }) => {
    const { state } = group.model;
    const chosen = <Id>(ids: Id[]): Id[] =>
      many || ids.length === 0 ? ids : [ids[pick % ids.length]!];
    const leases = Object.entries(state.leases).filter(([, { token }]) => token === member.token);
    return group.change(`the time of ${member.name} is over`, async () => {
      for (const [id, lease] of chosen(leases)) {
        const { token, rowId, run } = lease;
        await group.client.hset(group.contents.leases, id, `${token} ${rowId} ${run} 1`);
        state.leases[id] = { ...lease, live: false };
        // It was due again when its lease ended.
        if (state.retries[rowId] === 'later') await makeDue(group, [rowId]);
      }
      await makeIdle(group, member.name, chosen);
    });
  },

  /** One or all of the waiting messages become due. */
  wait: async (group, _member, { many, pick }) => {
    const waiting = Object.keys(group.model.state.retries);
    if (waiting.length === 0) return;
    const due = many ? waiting : [waiting[pick % waiting.length]!];
    await group.change(`${due.join(' ')} is due`, () => makeDue(group, due));
  },

  die: (group, member) =>
    group.change(`${member.token} dies`, async () => {
      member.restart();
      await makeIdle(group, member.name, (ids) => ids);
    }),

  leaveWindow: async (group) => {
    const { ledger } = group.model.state;
    const ids = Object.keys(ledger);
    if (ids.length === 0) return;
    await group.change('the window passes', async () => {
      // A different one each time: the member that recorded a message knows the time of that.
      const at = ++group.windows;
      await group.client.zadd(group.contents.ledger, 'XX', ...ids.flatMap((id) => [at, id]));
      await setPackedTimes(group.client, group.contents, at);
      for (const id of ids) ledger[id] = 'past';
      for (const member of group.members) {
        for (const message of member.had) {
          if (group.model.recordedBy(member, message)) message.recordedMs = at;
        }
      }
    });
  },

  /** Some of the ledger is packed, or all of it. */
  pack: (group, _member, { many, pick, twice }) => {
    const { client, keys, model } = group;
    return group.change('the ledger is packed', async () => {
      for (let times = twice ? 2 : 1; times > 0; times--) {
        const args = [LONG_MS, many ? 0 : pick, many ? 100 : 1];
        const sets = [keys.ledger, keys.packedLedger];
        await group.orRefused(() => packLedgerScript.run(client, sets, args));
      }
      const found = await group.read();
      // IDs that have left the window are removed with the next write.
      for (const [id, when] of Object.entries(model.state.ledger)) {
        if (when === 'past' && !(id in found.ledger)) delete model.state.ledger[id];
      }
    });
  },

  /** The ledger is maintained; leases are left alone, because those that ended long ago would be removed. */
  maintain: (group) => {
    const { client, contents: keys, model } = group;
    return group.change('the ledger is maintained', async () => {
      const sets = [keys.ledger, `${keys.leases}:none`];
      await purgeLedgerScript.run(client, sets, [LONG_MS, 1_000, '0']);
      await client.hdel(keys.packedLedger, 'swept');
      await sweepPackedScript.run(client, [keys.packedLedger], [LONG_MS, 1_000]);
      for (const [id, when] of Object.entries(model.state.ledger)) {
        if (when === 'past') delete model.state.ledger[id];
      }
    });
  },
} satisfies Record<string, Step>;

const POSTPONE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 2, #ARGV do
  local due = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if due and tonumber(due) > now then redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end
end
`;

/** Something due within a second would become due in the middle of a run. */
export async function postpone(group: Group, messages: readonly Ids[]): Promise<void> {
  if (messages.length === 0) return;
  const entryIds = messages.map(({ rowId }) => rowId);
  await group.client.eval(POSTPONE, 1, group.contents.retries, LONG_MS, ...entryIds);
}

async function makeDue(group: Group, ids: readonly string[]): Promise<void> {
  await group.client.zadd(group.contents.retries, 'XX', ...ids.flatMap((id) => [1, id]));
  for (const id of ids) group.model.state.retries[id] = 'due';
}

async function makeIdle(
  group: Group,
  consumer: string,
  chosen: (ids: string[]) => string[],
): Promise<void> {
  const { pending } = group.model.state;
  const ids = chosen(Object.keys(pending).filter((id) => pending[id]?.owner === consumer));
  if (ids.length === 0) return;
  const { client, keys, name } = group;
  await client.xclaim(keys.stream, name, consumer, 0, ...ids, 'IDLE', LONG_MS, 'JUSTID');
  for (const id of ids) pending[id] = { owner: consumer, idle: true };
}
