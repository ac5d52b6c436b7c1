import { isRedrive, streamIdOf } from '../../lib/wire/ids.js';
import type { Model } from './model.js';
import type { Lease, State } from './state.js';

/** Yields each violation of what must hold after each step, whatever the model expects. */
export function* broken(model: Model, before: State, after: State, token: string) {
  yield* states(model, after);
  yield* settled(model, before, after);
  yield* waiting(model, before, after);
  yield* holders(model, before, after, token);
  yield* attempts(model, before, after);
}

/** Every entry is in one state. */
function* states(model: Model, { unread, pending, ledger, letters }: State) {
  const dead = Object.values(letters).map(({ rowId }) => rowId);
  for (const [rowId, messageId] of model.published) {
    const open = [unread.includes(rowId), rowId in pending, dead.includes(rowId)];
    const count = open.filter(Boolean).length;
    const isSettled = model.handled.has(rowId) || model.duplicates.has(rowId);
    const done = messageId in ledger || isSettled || model.begun.has(rowId);
    if (count > 1) yield `${rowId} is in ${count} states`;
    if (count === 0 && !done) yield `${rowId} is lost`;
    // After a late success the entry is settled and its dead letter still exists: the success counts, and the letter stays until somebody looks.
    if (isSettled && (open[0] || open[1])) yield `${rowId} was settled, and is there again`;
  }
  if (new Set(dead).size < dead.length) yield 'a dead letter exists twice';
}

/** With a ledger, nothing is acknowledged, and no dead letter removed, without a record of what became of it. */
function* settled(model: Model, before: State, { pending, ledger, letters }: State) {
  if (!model.hasLedger) return;
  const dead = new Set(Object.values(letters).map(({ rowId }) => rowId));
  const gone = [
    ...Object.keys(before.pending).filter((id) => !(id in pending)),
    ...Object.entries(before.letters).flatMap(([id, { rowId }]) => (id in letters ? [] : [rowId])),
  ];
  for (const rowId of gone) {
    const isRecorded = (model.published.get(rowId) ?? '') in ledger || dead.has(rowId);
    if (!isRecorded) yield `${rowId} is settled, and nothing says how`;
  }
}

function* waiting(model: Model, before: State, { pending, letters, retries, leases }: State) {
  for (const id of Object.keys(retries)) {
    const isThere = isRedrive(id) ? streamIdOf(id) in letters : id in pending;
    if (!isThere && !isLeft(model, id)) yield `${id} waits for a retry and is settled`;
  }
  for (const [id, { rowId, token }] of Object.entries(leases)) {
    const was = before.leases[id];
    const isNew = was?.token !== token || was.rowId !== rowId;
    // Between a takeover and its reservation the former holder may still schedule its retry: then it runs early.
    const owner = before.pending[rowId]?.owner;
    const isTaken = owner !== undefined && token.startsWith(owner);
    if (isNew && !isTaken && !isRedrive(rowId) && rowId in before.retries)
      yield `${rowId} waits, and runs`;
    const isThere = isRedrive(rowId) ? streamIdOf(rowId) in letters : rowId in pending;
    const isTheRest = model.atMostOnce || model.partlySettled.has(rowId);
    if (!isThere && !isTheRest) yield `${rowId} is leased and settled`;
  }
}

/**
 * Without a ledger a late success only acknowledges, and a refused commit may only have removed the dead letter: whoever asks for
 * due messages removes the rest.
 */
const isLeft = (model: Model, id: string): boolean =>
  (!model.hasLedger && model.handled.has(id)) || model.partlySettled.has(id);

/** A lease has one holder, and only its holder changes it while it lasts, or whoever handled the message. */
function* holders(model: Model, before: State, after: State, token: string) {
  for (const [id, was] of Object.entries(before.leases)) {
    const is = after.leases[id];
    const isTheirs = !was.live || was.token === token || same(was, is);
    if (!isTheirs && !(is === undefined && isHandled(model, after, id))) {
      yield `the lease of ${id} was changed by ${token}, and is ${was.token}'s`;
    }
  }
}

const same = (a: Lease, b: Lease | undefined): boolean =>
  b?.token === a.token && b.rowId === a.rowId && b.run === a.run && b.live;

const isHandled = (model: Model, { ledger, letters }: State, leaseId: string): boolean =>
  model.hasLedger ? leaseId in ledger : !(streamIdOf(leaseId) in letters);

/** They never fall, and are never more than the number of starts, except by one if that is not known. */
function* attempts(model: Model, before: State, after: State) {
  for (const [id, { used }] of Object.entries(after.attempts)) {
    const starts = model.starts.get(id) ?? 0;
    if (used > starts + 1) yield `${id} has used ${used} attempts, and was started ${starts} times`;
  }
  for (const [id, { used }] of Object.entries(before.attempts)) {
    const isThere = isRedrive(id) ? streamIdOf(id) in after.letters : id in after.pending;
    const now = after.attempts[id]?.used ?? -1;
    if (isThere && now < used) yield `${id} had used ${used} attempts, now ${now}`;
    if (!isThere && now >= 0 && !isLeft(model, id))
      yield `${id} is settled, and its attempts still exist`;
  }
}
