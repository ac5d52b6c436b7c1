import { isLeased, leaseIdOf } from './lease-id.js';
import { isRedrive, streamIdOf } from '../../lib/wire/ids.js';
import type { Ids, Model, Who } from './model.js';

/** The dead letter that was written last, until its ID is known. */
export const NEW_LETTER = 'new';

/** What the scripts that settle or renew messages must do to the model, and what they must answer. */
export const outcomeRules = {
  /** It needs no fence: a late success is a success. */
  commit(model: Model, _who: Who, messages: readonly Ids[]): void {
    const { state, hasLedger } = model;
    for (const message of messages) {
      model.handled.add(message.entryId);
      if (hasLedger) state.ledger[message.messageId] = 'in window';
      if (hasLedger || isRedrive(message.rowId)) model.endLease(message);
      model.settle(message);
    }
  },

  release(model: Model, who: Who, messages: readonly Ids[]): void {
    for (const message of messages) {
      model.handled.add(message.entryId);
      if (model.holds(who, message)) model.endLease(message);
    }
  },

  putOff(
    model: Model,
    who: Who,
    messages: readonly Ids[],
    until: 'due' | 'later' | 'kept',
  ): boolean[] {
    const { state } = model;
    return messages.map((message) => {
      const { rowId, attempt } = message;
      const { used } = model.attemptsOf(rowId);
      if (!model.isOf(who, message)) return rowId in state.retries && used === attempt;
      state.attempts[rowId] = { used: Math.max(used, attempt), mark: model.endedRun(rowId) };
      const leased = isLeased(message, model.options);
      if (until !== 'kept') {
        state.retries[rowId] = until;
        if (leased) model.endLease(message);
      } else if (leased) {
        const lease = { token: who.token, rowId, run: attempt + 1, live: true };
        state.leases[leaseIdOf(message, model.options)] = lease;
      }
      return true;
    });
  },

  startAlone(model: Model, who: Who, message: Ids): boolean {
    if (model.atMostOnce) return true;
    if (!model.isOf(who, message)) return false;
    const { used } = model.attemptsOf(message.rowId);
    model.state.attempts[message.rowId] = { used, mark: 's' };
    return true;
  },

  /** At-most-once. */
  startRedrive(model: Model, who: Who, message: Ids): boolean {
    const { state, hasLedger, begun } = model;
    if (!model.holds(who, message) || !(streamIdOf(message.rowId) in state.letters)) return false;
    begun.add(message.entryId);
    if (hasLedger) state.ledger[message.messageId] = 'in window';
    model.recorded.delete(message.messageId);
    model.settle(message);
    model.endLease(message);
    return true;
  },

  deadLetter(model: Model, who: Who, message: Ids): boolean {
    if (!model.isOf(who, message)) return false;
    model.settle(message);
    if (isLeased(message, model.options)) model.endLease(message);
    const { entryId: rowId, attempt: attempts } = message;
    model.state.letters[NEW_LETTER] = { rowId, attempts };
    return true;
  },

  /** @param waits whether they still have to wait for their next attempt */
  handOver(model: Model, who: Who, messages: readonly Ids[], waits: boolean): void {
    const { state } = model;
    for (const message of messages) {
      const { rowId } = message;
      const lease = state.leases[leaseIdOf(message, model.options)];
      const held = model.holds(who, message);
      // A redrive that nobody runs is due for the others at once.
      if (isRedrive(rowId) && lease?.rowId !== rowId) {
        if (!waits && rowId in state.retries) state.retries[rowId] = 'due';
        continue;
      }
      // Its lease may be gone, or belong to another entry of the same message. An entry that already waits keeps waiting.
      const left = lease?.rowId !== rowId && !isRedrive(rowId) && model.owns(who, message);
      if (!held && (!left || rowId in state.retries)) continue;
      const atOnce = isRedrive(rowId) ? 'due' : 'handed back';
      state.retries[rowId] = waits ? 'later' : atOnce;
      if (held) model.endLease(message);
      const row = state.attempts[rowId];
      if (row !== undefined) row.mark = model.endedRun(rowId);
    }
  },

  putBack(model: Model, who: Who, messages: readonly Ids[]): boolean[] {
    const { state } = model;
    return messages.map((message) => {
      if (message.messageId in state.ledger && !model.recordedBy(who, message)) return true;
      state.pending[message.rowId] = { owner: who.name, idle: false };
      state.retries[message.rowId] = 'handed back';
      delete state.ledger[message.messageId];
      model.begun.delete(message.rowId);
      model.recorded.delete(message.messageId);
      return true;
    });
  },

  renew(model: Model, who: Who, messages: readonly Ids[]): boolean[] {
    const { state } = model;
    return messages.map((message) => {
      const { rowId } = message;
      const leased = isLeased(message, model.options);
      const kept = leased ? model.holds(who, message) : model.owns(who, message);
      if (!kept) return false;
      const id = leaseIdOf(message, model.options);
      const lease = state.leases[id];
      if (leased && lease !== undefined) state.leases[id] = { ...lease, live: true };
      if (isRedrive(rowId) && rowId in state.retries) state.retries[rowId] = 'later';
      if (model.owns(who, message)) state.pending[rowId] = { owner: who.name, idle: false };
      return true;
    });
  },

  /** @param letters each with the message ID that must leave the ledger, if at-most-once wrote it */
  redrive(
    { state, recorded }: Model,
    letters: readonly (readonly [id: string, inLedger: string])[],
  ): number {
    return letters.reduce((redriven, [id, inLedger]) => {
      const rowId = `dead-letter:${id}`;
      if (!(id in state.letters) || rowId in state.retries) return redriven;
      state.retries[rowId] = 'due';
      delete state.attempts[rowId];
      delete state.ledger[inLedger];
      recorded.delete(inLedger);
      return redriven + 1;
    }, 0);
  },
};
