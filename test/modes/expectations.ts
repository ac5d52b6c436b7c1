import { expect } from '@jest/globals';

import type { Cell } from './cell.js';
import type { Run } from './runs.js';

/** How many messages had which outcome. */
export interface Settled {
  readonly handled: number;
  /** Dead-lettered, or requests whose callers got an error. */
  readonly failed?: number;
  /** Whether the failed ones were dead-lettered at their handlers' request. */
  readonly asked?: boolean;
  /** Dead letters without a run, from entries that cannot be decoded. */
  readonly undecodable?: number;
  /** How many must have run here; all of them unless set. */
  readonly ran?: number;
  /** How many callers must have a reply; all of them unless set, and with `'any'` none has to. */
  readonly replied?: number | 'any';
}

const NOTHING_LEFT = { unread: 0, pending: 0, leases: 0, retries: 0, attempts: 0, delayed: 0 };

/** Waits until there is nothing left to do, and compares everything in Redis with what it should have. */
export async function expectSettled(cell: Cell, settled: Settled): Promise<void> {
  const { handled, failed = 0, asked = false, undecodable = 0 } = settled;
  const { ran = handled + failed, replied = handled + failed } = settled;
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
  if (settled.ran === undefined) await expectSecondStream(cell);
}

/** Expects successful messages to have run in the order that the mode promises; `runs` says which. */
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

/** Expects each of this many messages to have run once, as its first attempt, and succeeded. */
export function expectOnce(cell: Cell, count: number): void {
  const seen = cell.runs.all.map(({ n, attempt, outcome }) => ({ n, attempt, outcome }));
  expect(seen.sort((a, b) => a.n - b.n)).toEqual(
    Array.from({ length: count }, (_, n) => ({ n, attempt: 1, outcome: 'succeeded' })),
  );
}

/** Expects nothing unexpected to have been logged about the cell. */
export function expectQuietLog(cell: Cell): void {
  expect(cell.unexpectedLog).toEqual([]);
}

/** Whatever happens in one handler, the other one gets the message as often. */
function expectSecondHandler({ runs }: Cell): void {
  const sorted = (all: readonly number[]): number[] => [...all].sort((a, b) => a - b);
  expect(sorted(runs.ofSecondHandler)).toEqual(sorted(runs.all.map(({ n }) => n)));
}

/** Messages of a second stream are handled once, whatever happens in the first one. */
async function expectSecondStream(cell: Cell): Promise<void> {
  const { onSecondStream: count } = cell;
  const { ofSecondStream } = cell.runs;
  await cell.until('the second stream', () => {
    expect([new Set(ofSecondStream).size, ofSecondStream.length]).toEqual([count, count]);
    return true;
  });
}
