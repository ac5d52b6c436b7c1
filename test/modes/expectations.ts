import { expect } from '@jest/globals';

import type { Cell } from './cell.js';
import type { Run } from './runs.js';

/** How many messages came to what. */
export interface Settled {
  readonly handled: number;
  /** Given up: dead letters, or requests whose callers were told. */
  readonly failed?: number;
  /** Whether those that failed were made dead letters at the wish of their handlers. */
  readonly asked?: boolean;
  /** Dead letters without a run: of what cannot be decoded. */
  readonly undecodable?: number;
  /** How many have to have run here; without it, all of them. */
  readonly ran?: number;
  /** How many callers have to have a reply; without it, all of them, and with `'any'` none has to. */
  readonly replied?: number | 'any';
}

const NOTHING_LEFT = { unread: 0, pending: 0, leases: 0, retries: 0, attempts: 0, delayed: 0 };

/** Waits until nothing is left to be done, and holds all that Redis has against what it should have. */
export async function expectSettled(cell: Cell, its: Settled): Promise<void> {
  const { handled, failed = 0, asked = false, undecodable = 0 } = its;
  const { ran = handled + failed, replied = handled + failed } = its;
  const { promises, runs, inRedis } = cell;
  await cell.until(`${ran} have run`, () => {
    if (runs.begun.size !== ran) throw new Error(`${runs.begun.size} have`);
    return !runs.all.some(({ outcome }) => outcome === 'running');
  });
  const deadLetters = undecodable + (promises.deadLetters || asked ? failed : 0);
  const isRecorded = promises.recordedFirst || (promises.replies && !asked);
  const recorded = inRedis.ledgerBefore + handled + (isRecorded ? failed : 0);
  const ledger = promises.ledger ? recorded : 0;
  await cell.until('all settled', async () => {
    expect(await inRedis.records()).toEqual({ ...NOTHING_LEFT, deadLetters, ledger });
    return true;
  });
  if (promises.replies && replied !== 'any') {
    await cell.until('all replied', () => cell.replies.size === replied);
  }
  if (cell.mode.secondHandler) expectSecondHandler(cell);
  if (its.ran === undefined) await expectSecondStream(cell);
}

/** Messages that succeeded ran in the order that the mode promises; `runs` says which. */
export function expectOrder(cell: Cell, runs: readonly Run[] = cell.runs.succeeded): void {
  const { order } = cell.promises;
  if (order === 'none') return;
  const lanes = new Map<string, number[]>();
  for (const { key, n } of runs) {
    const lane = order === 'stream' ? '' : key;
    lanes.set(lane, [...(lanes.get(lane) ?? []), n]);
  }
  for (const lane of lanes.values()) expect(lane).toEqual([...lane].sort((a, b) => a - b));
}

/** Each of so many messages ran once, as its first attempt, and succeeded. */
export function expectOnce(cell: Cell, count: number): void {
  const seen = cell.runs.all.map(({ n, attempt, outcome }) => ({ n, attempt, outcome }));
  expect(seen.sort((a, b) => a.n - b.n)).toEqual(
    Array.from({ length: count }, (_, n) => ({ n, attempt: 1, outcome: 'succeeded' })),
  );
}

/** Nothing was logged about the cell that nobody expected. */
export function expectQuietLog(cell: Cell): void {
  expect(cell.unexpectedLog).toEqual([]);
}

/** Whatever becomes of one handler, the other one gets the message as often. */
function expectSecondHandler({ runs }: Cell): void {
  const sorted = (all: readonly number[]): number[] => [...all].sort((a, b) => a - b);
  expect(sorted(runs.ofSecondHandler)).toEqual(sorted(runs.all.map(({ n }) => n)));
}

/** What a second stream has is handled once, whatever becomes of the first one. */
async function expectSecondStream(cell: Cell): Promise<void> {
  const { onSecondStream: count } = cell;
  const { ofSecondStream } = cell.runs;
  await cell.until('the second stream', () => {
    expect([new Set(ofSecondStream).size, ofSecondStream.length]).toEqual([count, count]);
    return true;
  });
}
