import { isLeased, leaseIdOf } from '../../lib/consume/lease-id.js';
import { isRedrive, streamIdOf } from '../../lib/wire/redrive-member.js';
import { compareEntryIds } from '../../lib/redis/read/entry-id.js';
import type { Reservation } from '../../lib/redis/scripts/reserve/reservation.js';
import type { Ids, Model, Who } from './model.js';

/** What the scripts that deliver and reserve entries must do to the model, and what they must answer. */
export const deliveryRules = {
  read({ state }: Model, { name }: Who, count: number): string[] {
    const ids = state.unread.splice(0, count);
    for (const id of ids) state.pending[id] = { owner: name, idle: false };
    return ids.sort();
  },

  /** @param some what was handed back is left alone */
  due({ state }: Model, { name }: Who, some: boolean): string[] {
    const taken: string[] = [];
    for (const [id, when] of Object.entries(state.retries)) {
      if (when === 'later' || (some && when === 'handed back')) continue;
      if (isRedrive(id)) {
        if (streamIdOf(id) in state.letters) {
          state.retries[id] = 'later';
          taken.push(id);
          continue;
        }
        delete state.attempts[id];
      } else if (id in state.pending) {
        state.pending[id] = { owner: name, idle: false };
        taken.push(id);
      } else delete state.attempts[id];
      delete state.retries[id];
    }
    return taken.sort();
  },

  recover(model: Model, { name }: Who, isYoung: boolean, inOrder: boolean): string[] {
    const { pending, retries, leases } = model.state;
    const stays = new Set<string>();
    const leased = new Set(
      Object.values(leases).flatMap(({ live, entryId }) => (live ? [entryId] : [])),
    );
    const taken = Object.entries(pending)
      .sort(([a], [b]) => compareEntryIds(a, b))
      .flatMap(([id, { owner, idle }]) => {
        if (id in retries) return [];
        if (!idle || leased.has(id)) stays.add(owner);
        else if (!inOrder || !stays.has(owner)) return [id];
        return [];
      });
    for (const id of taken) {
      const mayRun = pending[id]?.owner === name && !isYoung;
      pending[id] = { owner: name, idle: false };
      if (!model.hasLedger && !mayRun) model.cameBack(id, model.attemptsOf(id).used + 1);
    }
    return taken.sort();
  },

  /** Page after page, in stream order. */
  resume(model: Model, { name, token }: Who, blocks: boolean): string[] {
    const { pending, retries, attempts, leases } = model.state;
    const own = Object.keys(pending).filter(
      (id) => pending[id]?.owner === name && !(id in retries),
    );
    const waiting = Object.keys(retries).filter(
      (id) => retries[id] === 'handed back' || (blocks && !isRedrive(id)),
    );
    const held = new Set(
      Object.values(leases).flatMap((lease) =>
        lease.live && lease.token !== token ? [lease.entryId] : [],
      ),
    );
    const found: string[] = [];
    for (const id of [...own, ...waiting].sort(compareEntryIds)) {
      const isOwn = !(id in retries);
      if (!(id in pending)) {
        delete retries[id];
        delete attempts[id];
        continue;
      }
      if (blocks && (held.has(id) || retries[id] === 'later')) break;
      const wasIdle = pending[id]?.idle === true;
      if (!isOwn || (wasIdle && !model.hasLedger)) pending[id] = { owner: name, idle: false };
      if (isOwn && wasIdle && !model.hasLedger) model.cameBack(id, model.attemptsOf(id).used + 1);
      delete retries[id];
      found.push(id);
    }
    return found;
  },

  /** Entries and redrives together, as the reserver sends them. */
  reserve(model: Model, who: Who, messages: readonly Ids[]): Reservation[] {
    const taken = new Map<string, string>();
    return messages.map((message) => {
      if (!model.hasLedger && !isRedrive(message.entryId)) return begin(model, message);
      return reserveOne(model, who, message, taken);
    });
  },
};

/** Without leases: which attempt it is. */
function begin(model: Model, { entryId }: Ids): Reservation {
  if (model.atMostOnce) {
    model.begun.add(entryId);
    delete model.state.pending[entryId];
  }
  const { used } = model.attemptsOf(entryId);
  return { kind: 'new', attempt: used + 1, alone: model.runsAlone(entryId) };
}

const NOT_NEW = { attempt: 1, alone: false } as const;

function reserveOne(model: Model, who: Who, message: Ids, taken: Map<string, string>): Reservation {
  const { state } = model;
  const { entryId, messageId } = message;
  const leaseId = leaseIdOf(message, model.options);
  const lease = state.leases[leaseId];
  const mine = model.holds(who, message);
  if (!mine && model.hasLedger && state.ledger[messageId] === 'in window') {
    const isThere = isRedrive(entryId)
      ? streamIdOf(entryId) in state.letters
      : entryId in state.pending;
    if (isThere) model.duplicates.add(message.originalEntryId);
    model.settle(message);
    return { kind: 'duplicate', ...NOT_NEW };
  }
  const isGone = isRedrive(entryId) && !(streamIdOf(entryId) in state.letters);
  if (isGone) {
    model.settle(message);
    if (mine) model.endLease(message);
    return { kind: 'leased-elsewhere', ...NOT_NEW };
  }
  if (lease !== undefined && !mine && (lease.live || taken.has(leaseId))) {
    if (isRedrive(entryId) || model.owns(who, message)) state.retries[entryId] = 'later';
    return { kind: 'leased-elsewhere', ...NOT_NEW };
  }
  // Its consumer hung after the read, and another took it meanwhile.
  const isAnothers = !mine && !isRedrive(entryId) && !model.owns(who, message);
  if (isAnothers) return { kind: 'leased-elsewhere', ...NOT_NEW };
  // At-most-once removes a dead letter when its run begins: one that exists has never been run.
  const isOnce = model.atMostOnce && isRedrive(entryId);
  if (!mine && lease?.entryId === entryId && !isOnce) model.cameBack(entryId, lease.run);
  const alone = model.runsAlone(entryId);
  const run = mine && lease !== undefined ? lease.run : model.attemptsOf(entryId).used + 1;
  taken.set(leaseId, entryId);
  if (isLeased(message, model.options)) {
    state.leases[leaseId] = { token: who.token, entryId, run, live: true };
    // A redrive is recorded when its run begins.
    if (!isOnce) model.recorded.delete(messageId);
  } else model.recorded.set(messageId, { token: who.token, entryId });
  if (model.atMostOnce && !isOnce) {
    model.begun.add(entryId);
    if (model.hasLedger) state.ledger[messageId] = 'in window';
    model.settle(message);
  }
  return { kind: 'new', attempt: run, alone };
}
