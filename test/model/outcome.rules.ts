import { isLeased, leaseIdOf } from '../../lib/consume/lease-id.js';
import { isRedrive, streamIdOf } from '../../lib/wire/redrive-member.js';
import type { Ids, Model, Who } from './model.js';

/** The dead letter that was written last, until its ID is known. */
export const NEW_LETTER = 'new';

/** What the scripts that settle or renew messages must do to the model, and what they must answer. */
export const outcomeRules = {
  /** It needs no fence: a late success is a success. */
  commit(model: Model, _who: Who, messages: readonly Ids[]): void {
    const { state, hasLedger } = model;
    for (const message of messages) {
      if (hasLedger) state.ledger[message.messageId] = 'in window';
      if (hasLedger || isRedrive(message.entryId)) model.endLease(message);
      model.settle(message);
    }
  },

  release(model: Model, who: Who, messages: readonly Ids[]): void {
    for (const message of messages) if (model.holds(who, message)) model.endLease(message);
  },

  putOff(
    model: Model,
    who: Who,
    messages: readonly Ids[],
    until: 'due' | 'later' | 'kept',
  ): boolean[] {
    const { state } = model;
    return messages.map((message) => {
      const { entryId, attempt } = message;
      const { used } = model.attemptsOf(entryId);
      if (!model.isOf(who, message)) return entryId in state.retries && used === attempt;
      state.attempts[entryId] = { used: Math.max(used, attempt), mark: model.endedRun(entryId) };
      const leased = isLeased(message, model.options);
      if (until !== 'kept') {
        state.retries[entryId] = until;
        if (leased) model.endLease(message);
      } else if (leased) {
        const lease = { token: who.token, entryId, run: attempt + 1, live: true };
        state.leases[leaseIdOf(message, model.options)] = lease;
      }
      return true;
    });
  },

  startAlone(model: Model, who: Who, message: Ids): boolean {
    if (model.atMostOnce) return true;
    if (!model.isOf(who, message)) return false;
    const { used } = model.attemptsOf(message.entryId);
    model.state.attempts[message.entryId] = { used, mark: 's' };
    return true;
  },

  /** At-most-once. */
  startRedrive(model: Model, who: Who, message: Ids): boolean {
    const { state, hasLedger, begun } = model;
    if (!model.holds(who, message) || !(streamIdOf(message.entryId) in state.letters)) return false;
    begun.add(message.originalEntryId);
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
    const { originalEntryId: entryId, attempt: attempts } = message;
    model.state.letters[NEW_LETTER] = { entryId, attempts };
    return true;
  },

  /** @param waits whether they still have to wait for their next attempt */
  handOver(model: Model, who: Who, messages: readonly Ids[], waits: boolean): void {
    const { state } = model;
    for (const message of messages) {
      const { entryId } = message;
      const lease = state.leases[leaseIdOf(message, model.options)];
      const held = model.holds(who, message);
      // A redrive that nobody runs is due for the others at once.
      if (isRedrive(entryId) && lease?.entryId !== entryId) {
        if (!waits && entryId in state.retries) state.retries[entryId] = 'due';
        continue;
      }
      // Its lease may be gone, or belong to another entry of the same message. An entry that already waits
      // keeps waiting.
      const left = lease?.entryId !== entryId && !isRedrive(entryId) && model.owns(who, message);
      if (!held && (!left || entryId in state.retries)) continue;
      const atOnce = isRedrive(entryId) ? 'due' : 'handed back';
      state.retries[entryId] = waits ? 'later' : atOnce;
      if (held) model.endLease(message);
      const row = state.attempts[entryId];
      if (row !== undefined) row.mark = model.endedRun(entryId);
    }
  },

  putBack(model: Model, who: Who, messages: readonly Ids[]): boolean[] {
    const { state } = model;
    return messages.map((message) => {
      if (message.messageId in state.ledger && !model.recordedBy(who, message)) return true;
      state.pending[message.entryId] = { owner: who.name, idle: false };
      state.retries[message.entryId] = 'handed back';
      delete state.ledger[message.messageId];
      model.begun.delete(message.entryId);
      model.recorded.delete(message.messageId);
      return true;
    });
  },

  renew(model: Model, who: Who, messages: readonly Ids[]): boolean[] {
    const { state } = model;
    return messages.map((message) => {
      const { entryId } = message;
      const leased = isLeased(message, model.options);
      const kept = leased ? model.holds(who, message) : model.owns(who, message);
      if (!kept) return false;
      const id = leaseIdOf(message, model.options);
      const lease = state.leases[id];
      if (leased && lease !== undefined) state.leases[id] = { ...lease, live: true };
      if (isRedrive(entryId) && entryId in state.retries) state.retries[entryId] = 'later';
      if (model.owns(who, message)) state.pending[entryId] = { owner: who.name, idle: false };
      return true;
    });
  },

  /** @param letters each with the message ID that must leave the ledger, if at-most-once wrote it */
  redrive(
    { state, recorded }: Model,
    letters: readonly (readonly [id: string, inLedger: string])[],
  ): number {
    return letters.reduce((redriven, [id, inLedger]) => {
      const entryId = `dead-letter:${id}`;
      if (!(id in state.letters) || entryId in state.retries) return redriven;
      state.retries[entryId] = 'due';
      delete state.attempts[entryId];
      delete state.ledger[inLedger];
      recorded.delete(inLedger);
      return redriven + 1;
    }, 0);
  },
};
