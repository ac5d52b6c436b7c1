import { describe, expect, it } from '@jest/globals';

import type { Load } from '../../../lib/consume/load.js';
import type { Message } from '../../../lib/consume/message.js';
import { LaneOrder } from '../../../lib/consume/order/lane-order.js';
import { ArrivalOrder, type Sequencer } from '../../../lib/consume/order/sequencer.js';
import { ReadAheadBytes } from '../../../lib/consume/read-ahead-bytes.js';
import { aMessage } from '../../support/a-message.js';

const BATCH = 2;
const load: Load = {
  taken: 1,
  readAhead: 2,
  runsSynchronously: true,
  readAheadLimit: 10,
  inFlight: 20,
  aheadBytes: 0,
};
const next = (order: Sequencer): string[] => order.takeNext().map(({ rowId }) => rowId);

describe('arrival order', () => {
  it('gives out each batch as it was read', () => {
    const order = new ArrivalOrder();
    order.add([aMessage('1-0'), aMessage('2-0')]);
    order.add([aMessage('3-0')]);
    expect(order.adjust(load).readAhead).toBe(5);
    expect(next(order)).toEqual(['1-0', '2-0']);
    expect(order.hasNext).toBe(true);
    expect(next(order)).toEqual(['3-0']);
    expect(order.hasNext).toBe(false);
    expect(order.adjust(load)).toBe(load);
  });

  it('keeps no message for a later attempt, and gives back what was not reserved', () => {
    const order = new ArrivalOrder();
    order.add([aMessage('1-0')]);
    expect(order.done()).toBe(false);
    expect(order.wantsAgain()).toBe(false);
    expect(order.stop()).toHaveLength(1);
    expect(order.hasNext).toBe(false);
  });
});

describe('lanes by key', () => {
  const keyed = (rowId: string, key: string): Message =>
    aMessage(rowId, rowId, { envelope: { name: 'orders', payload: {}, key } });

  function laneOrder(...messages: Message[]): LaneOrder {
    const order = new LaneOrder(
      ({ envelope }) => envelope.key ?? '',
      BATCH,
      new ReadAheadBytes(1_000),
    );
    order.add(messages);
    return order;
  }

  it('let nothing out, and read nothing new, before all that was pending is claimed', () => {
    const order = laneOrder(keyed('1-0', 'a'), keyed('2-0', 'b'));
    expect([order.hasNext, order.takesNew, order.isStuck]).toEqual([false, false, true]);
    order.claimedUpTo('1-0');
    expect(next(order)).toEqual(['1-0']);
    expect(order.takesNew).toBe(false);
    order.claimedUpTo();
    expect(next(order)).toEqual(['2-0']);
    expect(order.takesNew).toBe(true);
  });

  it('keep a message that is retried in hand, and its key with it', async () => {
    const order = laneOrder(keyed('1-0', 'a'), keyed('2-0', 'a'), keyed('3-0', 'b'));
    order.claimedUpTo();
    expect(next(order)).toEqual(['1-0', '3-0']);
    expect(order.done('1-0', 0)).toBe(true);
    await order.attention.next();
    expect(order.takeDueInMs()).toBe(0);
    expect(order.takeDueInMs()).toBeUndefined();
    expect(order.heldBack).toEqual(['1-0']);
    expect(order.done('3-0')).toBe(false);
    expect(order.wantsAgain('1-0')).toBe(true);
    order.add([keyed('1-0', 'a')]);
    expect(next(order)).toEqual(['1-0']);
    order.done('1-0');
    expect(next(order)).toEqual(['2-0']);
  });

  it('hold back the key of a claimed message whose retry is not due', () => {
    const order = new LaneOrder(
      ({ envelope }) => envelope.key ?? '',
      BATCH,
      new ReadAheadBytes(1_000),
    );
    order.add([keyed('1-0', 'a'), keyed('2-0', 'a'), keyed('3-0', 'b')], new Set(['1-0']));
    order.claimedUpTo();
    expect(next(order)).toEqual(['3-0']);
    expect(order.takeDueInMs()).toBe(0);
  });

  it('ask their owner to claim again if something pending comes first', async () => {
    const order = laneOrder(keyed('2-0', 'a'));
    order.claimedUpTo();
    const [message] = order.takeNext();
    order.putBack([message!]);
    await order.attention.next();
    expect([order.takePostponed(), order.takePostponed()]).toEqual([true, false]);
    expect([order.hasNext, order.takesNew]).toEqual([false, false]);
    order.add([keyed('1-0', 'a')]);
    order.claimedUpTo();
    expect(next(order)).toEqual(['1-0']);
  });

  it('have no room once what waits behind a held key has too many bytes', () => {
    const bytes = { bytes: 400 };
    const order = laneOrder({ ...keyed('1-0', 'a'), ...bytes });
    order.claimedUpTo();
    order.takeNext();
    order.done('1-0', 1_000);
    expect(order.heldBytes).toBe(400);
    order.add([
      { ...keyed('2-0', 'a'), ...bytes },
      { ...keyed('3-0', 'b'), ...bytes },
    ]);
    expect([order.heldBytes, order.room > 0]).toEqual([800, true]);
    order.add([{ ...keyed('4-0', 'a'), ...bytes }]);
    expect([order.heldBytes, order.room]).toEqual([1_200, 0]);
    order.add([{ ...keyed('1-0', 'a'), ...bytes }]);
    expect([order.heldBytes, order.room > 0]).toEqual([0, true]);
    order.done('1-0', 1_000);
    order.done('1-0');
    expect(order.heldBytes).toBe(0);
  });

  it('have room of their own for what waits behind a held key', () => {
    const order = laneOrder(keyed('1-0', 'a'));
    order.claimedUpTo();
    order.takeNext();
    order.done('1-0', 1_000);
    for (let n = 2; n <= 20; n++) order.add([keyed(`${n}-0`, 'a')]);
    expect(order.room).toBe(0);
    expect(order.adjust({ ...load, inFlight: 20 })).toMatchObject({
      inFlight: 0,
      readAheadLimit: BATCH,
    });
  });

  it('let nothing out once they are stopped, and keep nothing', () => {
    const order = laneOrder(keyed('1-0', 'a'), keyed('2-0', 'a'));
    order.claimedUpTo();
    expect(order.stop().map(({ rowId }) => rowId)).toEqual(['1-0', '2-0']);
    expect(order.takeNext()).toEqual([]);
    expect(order.done('1-0', 100)).toBe(false);
  });
});
