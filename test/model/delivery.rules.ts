import { isLeased, leaseIdOf } from './lease-id.js';
import { isRedrive, streamIdOf, compareEntryIds } from '../../lib/wire/ids.js';
import type { Reservation } from '../../lib/redis/scripts/reserve/reserve.script.js';
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
      Object.values(leases).flatMap(({ live, rowId }) => (live ? [rowId] : [])),
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
        lease.live && lease.token !== token ? [lease.rowId] : [],
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

  /** Entries and redrives are reserved in separate scripts, in this order. */
  reserve(model: Model, who: Who, messages: readonly Ids[]): Reservation[] {
    const answers = new Map<Ids, Reservation>();
    for (const some of apart(messages)) {
      const taken = new Map<string, string>();
      for (const message of some) {
        const hasNoLease = !model.hasLedger && !isRedrive(message.rowId);
        const answer = hasNoLease ? begin(model, message) : reserveOne(model, who, message, taken);
        answers.set(message, answer);
      }
    }
    return messages.flatMap((message) => answers.get(message) ?? []);
  },
};

const apart = (messages: readonly Ids[]): Ids[][] => [
  messages.filter(({ rowId }) => !isRedrive(rowId)),
  messages.filter(({ rowId }) => isRedrive(rowId)),
];

/** Without leases: which attempt it is. */
function begin(model: Model, { rowId }: Ids): Reservation {
  if (model.atMostOnce) {
    model.begun.add(rowId);
    delete model.state.pending[rowId];
  }
  const { used } = model.attemptsOf(rowId);
  return { kind: 'new', attempt: used + 1, alone: model.runsAlone(rowId) };
}

const NOT_NEW = { attempt: 1, alone: false } as const;

function reserveOne(model: Model, who: Who, message: Ids, taken: Map<string, string>): Reservation {
  const { state } = model;
  const { rowId, messageId } = message;
  const leaseId = leaseIdOf(message, model.options);
  const lease = state.leases[leaseId];
  const mine = model.holds(who, message);
  const isHandled = model.hasLedger && state.ledger[messageId] === 'in window';
  // Its own lease is left if a commit was refused after it had written the ledger.
  if (isHandled && !(mine && model.atMostOnce)) {
    const isThere = isRedrive(rowId) ? streamIdOf(rowId) in state.letters : rowId in state.pending;
    if (isThere) model.duplicates.add(message.entryId);
    model.settle(message);
    if (mine) model.endLease(message);
    return { kind: 'duplicate', ...NOT_NEW };
  }
  const isGone = isRedrive(rowId) && !(streamIdOf(rowId) in state.letters);
  if (isGone) {
    model.settle(message);
    if (mine) model.endLease(message);
    return { kind: 'leased-elsewhere', ...NOT_NEW };
  }
  if (lease !== undefined && !mine && (lease.live || taken.has(leaseId))) {
    if (isRedrive(rowId) || model.owns(who, message)) state.retries[rowId] = 'later';
    return { kind: 'leased-elsewhere', ...NOT_NEW };
  }
  // Its consumer hung after the read, and another took it meanwhile.
  const isAnothers = !mine && !isRedrive(rowId) && !model.owns(who, message);
  if (isAnothers) return { kind: 'leased-elsewhere', ...NOT_NEW };
  // At-most-once removes a dead letter when its run begins: one that exists has never been run.
  const isOnce = model.atMostOnce && isRedrive(rowId);
  if (!mine && lease?.rowId === rowId && !isOnce) model.cameBack(rowId, lease.run);
  const alone = model.runsAlone(rowId);
  const run = mine && lease !== undefined ? lease.run : model.attemptsOf(rowId).used + 1;
  taken.set(leaseId, rowId);
  if (isLeased(message, model.options)) {
    state.leases[leaseId] = { token: who.token, rowId, run, live: true };
    // A redrive is recorded when its run begins.
    if (!isOnce) model.recorded.delete(messageId);
  } else model.recorded.set(messageId, { token: who.token, rowId });
  if (model.atMostOnce && !isOnce) {
    model.begun.add(rowId);
    if (model.hasLedger) state.ledger[messageId] = 'in window';
    model.settle(message);
  }
  return { kind: 'new', attempt: run, alone };
}
