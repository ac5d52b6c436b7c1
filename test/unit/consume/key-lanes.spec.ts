import { describe, expect, it } from '@jest/globals';

import { KeyLanes } from '../../../lib/consume/order/key-lanes.js';
import { aMessage } from '../../support/a-message.js';
import type { Message } from '../../../lib/consume/message.js';

const message = (rowId: string, key?: string, messageId = rowId): Message =>
  aMessage(rowId, messageId, {
    envelope: { name: 'orders', payload: {}, ...(key === undefined ? {} : { key }) },
  });

const keyOf = ({ envelope, messageId }: Message): string => envelope.key ?? messageId;

function lanesOf(...messages: Message[]): KeyLanes {
  const lanes = new KeyLanes(keyOf);
  lanes.open();
  for (const its of messages) lanes.add(its);
  return lanes;
}

const out = (lanes: KeyLanes): string[] => lanes.takeOut(100).map(({ rowId }) => rowId);

describe('the lanes of keys', () => {
  it('let out one message of each key, and the next once that is through', () => {
    const lanes = lanesOf(message('1-0', 'a'), message('2-0', 'a'), message('3-0', 'b'));
    expect(out(lanes)).toEqual(['1-0', '3-0']);
    expect(lanes.queued).toBe(1);
    lanes.through('1-0');
    expect(out(lanes)).toEqual(['2-0']);
    expect(lanes.queued).toBe(0);
  });

  it('keep messages without a key apart, and those of one message ID in order', () => {
    const lanes = lanesOf(message('1-0'), message('2-0'), message('3-0', undefined, '2-0'));
    expect(out(lanes)).toEqual(['1-0', '2-0']);
  });

  it('hold back the key of a message that waits for its time, and no other', () => {
    const lanes = lanesOf(message('1-0', 'a'), message('2-0', 'a'), message('3-0', 'b'));
    out(lanes);
    lanes.holdBack('1-0');
    expect(lanes.heldBack).toEqual(['1-0']);
    expect([lanes.queued, lanes.held]).toEqual([0, 2]);
    lanes.through('3-0');
    expect(out(lanes)).toEqual([]);
    lanes.add(message('4-0', 'a'));
    expect([lanes.queued, lanes.held]).toEqual([0, 3]);
    lanes.again(message('1-0', 'a'));
    expect([lanes.queued, lanes.held]).toEqual([2, 0]);
    expect(out(lanes)).toEqual(['1-0']);
    lanes.through('1-0');
    expect(out(lanes)).toEqual(['2-0']);
    expect([lanes.queued, lanes.held]).toEqual([1, 0]);
  });

  it('put an entry that comes late before those that were given later', () => {
    const lanes = new KeyLanes(keyOf);
    lanes.add(message('11-0', 'a'));
    lanes.add(message('12-0', 'a'));
    lanes.add(message('9-0', 'a'));
    lanes.open();
    expect(out(lanes)).toEqual(['9-0']);
    lanes.through('9-0');
    expect(out(lanes)).toEqual(['11-0']);
  });

  it('put a redrive at the end of its lane, and what comes later behind it', () => {
    const lanes = lanesOf(message('1-0', 'a'), message('2-0', 'a'));
    lanes.add(message('dead-letter:0-1', 'a'));
    lanes.add(message('3-0', 'a'));
    const order: string[] = [];
    for (let next = out(lanes); next.length > 0; next = out(lanes)) {
      order.push(...next);
      lanes.through(next[0] ?? '');
    }
    expect(order).toEqual(['1-0', '2-0', 'dead-letter:0-1', '3-0']);
  });

  it('let out nothing behind the bound, and take back what has not begun', () => {
    const lanes = lanesOf(message('5-0', 'a'), message('6-0', 'b'));
    lanes.shut();
    expect(out(lanes)).toEqual([]);
    expect(lanes.isStuck).toBe(true);
    lanes.open('5-0');
    expect(out(lanes)).toEqual(['5-0']);
    expect(lanes.isStuck).toBe(false);
    lanes.putBack([message('5-0', 'a')]);
    lanes.open();
    expect(out(lanes).sort()).toEqual(['5-0', '6-0']);
  });

  it('put a message back behind an earlier one that was claimed meanwhile', () => {
    const lanes = lanesOf(message('2-0', 'a'), message('dead-letter:0-1', 'b'));
    expect(out(lanes)).toEqual(['2-0', 'dead-letter:0-1']);
    lanes.shut();
    lanes.add(message('1-0', 'a'));
    lanes.add(message('3-0', 'b'));
    lanes.putBack([message('2-0', 'a'), message('dead-letter:0-1', 'b')]);
    lanes.open();
    expect(out(lanes)).toEqual(['1-0', '3-0']);
    lanes.through('1-0');
    lanes.through('3-0');
    expect(out(lanes)).toEqual(['2-0', 'dead-letter:0-1']);
  });

  it('give back what waited for its turn, and not what waits for its time', () => {
    const lanes = lanesOf(message('1-0', 'a'), message('2-0', 'a'));
    lanes.add(message('3-0', 'a'), true);
    out(lanes);
    expect(lanes.clear().map(({ rowId }) => rowId)).toEqual(['2-0']);
    expect([lanes.queued, lanes.held]).toEqual([0, 0]);
  });

  it('let a message that waits for its time hold back its key when its turn comes', () => {
    const lanes = new KeyLanes(keyOf);
    lanes.open();
    lanes.add(message('1-0', 'a'), true);
    lanes.add(message('2-0', 'a'));
    expect(out(lanes)).toEqual([]);
    expect(lanes.heldBack).toEqual(['1-0']);
  });
});
