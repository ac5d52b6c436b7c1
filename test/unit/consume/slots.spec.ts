import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import type { Message } from '../../../lib/consume/message.js';
import { SharedSlots } from '../../../lib/consume/partitions/gates.js';
import { type Gate, Quarantine } from '../../../lib/consume/quarantine.js';
import { LONGEST_TIMER_MS, Slots } from '../../../lib/consume/slots.js';
import { aMessage } from '../../support/a-message.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const PATIENCE_MS = 1_000;
const messages = (count: number): Message[] =>
  Array.from({ length: count }, (_, n) => aMessage(`${n + 1}-0`));

function slotsOf(
  concurrency: number,
  { quarantine = new Quarantine(PATIENCE_MS), gates = [] as readonly Gate[] } = {},
): Slots {
  return new Slots({ concurrency, batchSize: 10, handlerTimeoutMs: undefined }, quarantine, gates);
}

/** Starts what may start. @returns their row IDs */
function startAll(slots: Slots): string[] {
  const started: string[] = [];
  for (let next = slots.next; next !== undefined; next = slots.next) {
    if (slots.closedGate(next) !== undefined) break;
    slots.start(next);
    started.push(next.rowId);
  }
  return started;
}

describe('slots', () => {
  it('start as many messages as there is concurrency, in their order', () => {
    const slots = slotsOf(2);
    const [first, second, third] = messages(3);
    expect(slots.add([first!, second!, third!], false)).toBe('now');
    expect(startAll(slots)).toEqual(['1-0', '2-0']);
    expect([slots.taken, slots.waiting]).toEqual([2, 1]);
    slots.end(second!, performance.now());
    expect(startAll(slots)).toEqual(['3-0']);
  });

  it('start nothing once they are stopped, and give out what waits', async () => {
    const slots = slotsOf(1);
    const [first, second] = messages(2);
    slots.add([first!, second!], false);
    startAll(slots);
    slots.stop();
    expect(slots.takeWaiting()).toEqual([second]);
    const emptied = slots.emptied();
    slots.end(first!, performance.now());
    await emptied;
    expect(slots.taken + slots.waiting).toBe(0);
  });

  it('let nothing pass a message that waits in its slot', async () => {
    const slots = slotsOf(2);
    const [first, second] = messages(2);
    slots.add([first!], false);
    startAll(slots);
    slots.hold(first!, 100, performance.now());
    slots.add([second!], false);
    expect(startAll(slots)).toEqual([]);
    expect(slots.taken).toBe(1);
    const paused = slots.pause(first!, 100);
    jest.advanceTimersByTime(100);
    expect(await paused).toBe(true);
    expect(startAll(slots)).toEqual(['1-0']);
    expect(startAll(slots)).toEqual([]);
    slots.end(first!, performance.now());
    expect(startAll(slots)).toEqual(['2-0']);
  });

  it('let a message wait longer than the longest timer of Node', async () => {
    const slots = slotsOf(1);
    const [first] = messages(1);
    const delayMs = 3 * LONGEST_TIMER_MS;
    slots.add([first!], false);
    startAll(slots);
    slots.hold(first!, delayMs, performance.now());
    let isOver = false;
    const paused = slots.pause(first!, delayMs).then(() => (isOver = true));
    for (const waitMs of [LONGEST_TIMER_MS, LONGEST_TIMER_MS, LONGEST_TIMER_MS - 1]) {
      await jest.advanceTimersByTimeAsync(waitMs);
      expect(isOver).toBe(false);
    }
    await jest.advanceTimersByTimeAsync(1);
    await paused;
    expect(startAll(slots)).toEqual(['1-0']);
  });

  it('end the wait of a message that is taken out, and keep when it is due', async () => {
    const slots = slotsOf(1);
    const [first] = messages(1);
    slots.add([first!], false);
    startAll(slots);
    slots.hold(first!, 100, performance.now());
    const paused = slots.pause(first!, 100);
    expect(slots.takeWaiting()).toEqual([first]);
    expect(await paused).toBe(false);
    expect(first!.dueAt).toBeGreaterThan(performance.now());
    expect(await slots.pause(first!, 100)).toBe(false);
  });

  it('tell one handler, or all, to end', () => {
    const slots = slotsOf(2);
    const [first, second] = messages(2);
    slots.add([first!, second!], false);
    const signals = [slots.start(first!), slots.start(second!)];
    slots.abort(new Error('lost'), first);
    expect(signals.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    slots.abort(new Error('time is up'));
    expect(signals.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  });
});

describe('the quarantine', () => {
  const alone = (rowId: string): Message => aMessage(rowId, rowId, { runsAlone: true });

  it('lets a message run alone once everything else has ended, in all streams', () => {
    const quarantine = new Quarantine(PATIENCE_MS);
    const [orders, payments] = [slotsOf(1, { quarantine }), slotsOf(1, { quarantine })];
    const [running] = messages(1);
    orders.add([running!], false);
    startAll(orders);
    payments.add([alone('9-0')], false);
    expect(startAll(payments)).toEqual([]);
    orders.end(running!, performance.now());
    expect(startAll(payments)).toEqual(['9-0']);
    orders.add([aMessage('2-0')], false);
    expect(startAll(orders)).toEqual([]);
  });

  it('waits for others no longer than its patience, and lets them wait no longer', () => {
    const quarantine = new Quarantine(PATIENCE_MS);
    const [orders, payments] = [slotsOf(2, { quarantine }), slotsOf(1, { quarantine })];
    orders.add(messages(1), false);
    startAll(orders);
    payments.add([alone('9-0')], false);
    expect(startAll(payments)).toEqual([]);
    jest.advanceTimersByTime(PATIENCE_MS);
    expect(startAll(payments)).toEqual(['9-0']);
    orders.add([aMessage('2-0')], false);
    expect(startAll(orders)).toEqual([]);
    jest.advanceTimersByTime(PATIENCE_MS);
    expect(startAll(orders)).toEqual(['2-0']);
  });
});

describe('a message that has to run alone', () => {
  it('lets a message pass that waits in its slot for a retry, in all streams', async () => {
    const quarantine = new Quarantine(PATIENCE_MS);
    const [orders, payments] = [slotsOf(2, { quarantine }), slotsOf(1, { quarantine })];
    const [running] = messages(1);
    orders.add([running!, aMessage('9-0', '9-0', { runsAlone: true })], false);
    expect(startAll(orders)).toEqual(['1-0']);
    orders.hold(running!, 100, performance.now());
    expect(startAll(orders)).toEqual([]);
    const paused = orders.pause(running!, 100);
    jest.advanceTimersByTime(100);
    expect(await paused).toBe(true);
    expect(startAll(orders)).toEqual(['1-0']);
    orders.end(running!, performance.now());
    expect(startAll(orders)).toEqual(['9-0']);
    payments.add([aMessage('2-0')], false);
    jest.advanceTimersByTime(PATIENCE_MS);
    expect(startAll(payments)).toEqual(['2-0']);
  });
});

describe('slots that partitions share', () => {
  const message = aMessage('1-0');

  it('go to whoever has waited longest, and not to whoever ends a run', async () => {
    const shared = new SharedSlots({ concurrency: 1, readAheadBytes: 1 });
    const [first, second, third] = [shared.gate(), shared.gate(), shared.gate()];
    first.started(message, undefined);
    const waits = [second.opened(), third.opened()];
    first.ended(message);
    expect([first, second, third].map((gate) => gate.isOpenFor(message))).toEqual([
      false,
      true,
      false,
    ]);
    await waits[0];
    second.started(message, undefined);
    second.endOffer();
    second.ended(message);
    await waits[1];
    expect([first, second, third].map((gate) => gate.isOpenFor(message))).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('go on to the next one if they are not needed', async () => {
    const shared = new SharedSlots({ concurrency: 1, readAheadBytes: 1 });
    const [first, second, third] = [shared.gate(), shared.gate(), shared.gate()];
    first.started(message, undefined);
    const waits = [second.opened(), third.opened()];
    first.ended(message);
    await waits[0];
    second.endOffer();
    await waits[1];
    third.endOffer();
    expect(first.isOpenFor(message)).toBe(true);
  });
});
