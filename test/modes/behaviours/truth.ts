import { expect } from '@jest/globals';

import { RetryException } from '../../../lib/index.js';
import { bodies } from '../payload.js';
import type { Cell } from '../cell.js';
import type { Member } from '../member.js';
import { expectSettled } from '../expectations.js';
import type { Behaviour } from './behaviour.js';

const COUNT = 8;
const [DEAD, HELD, PUT_OFF] = [1, 2, COUNT];
const LONG_MS = 600_000;

interface Truth {
  /** Messages that Redis still has to deliver or to see settled; undefined if it cannot know all of them. */
  readonly unfinished: number | undefined;
  readonly retries: number | undefined;
  readonly deadLetters: number | undefined;
  readonly ledger: number | undefined;
}

/** What `inspect()` and the command line report, in the same words. */
async function reportsOf(cell: Cell, member: Member): Promise<{ inspected: Truth; shown: Truth }> {
  const inspection = await member.monitor.inspect();
  const row = inspection.streams.find(({ stream }) => stream === cell.stream);
  if (row === undefined) throw new Error('inspect() does not know the stream');
  const rows = await cell.overview();
  expect(rows).toHaveLength(cell.inRedis.places.length);
  const sum = (of: (row: (typeof rows)[number]) => number | undefined): number =>
    rows.reduce((total, each) => total + (of(each) ?? Number.NaN), 0);
  return {
    inspected: {
      unfinished: row.pending + (row.lag ?? Number.NaN),
      retries: row.retries.waiting,
      deadLetters: row.deadLetters.count,
      ledger: row.ledgerSize,
    },
    shown: {
      unfinished: sum(({ pending, lag }) => Number(pending) + Number(lag)),
      retries: sum(({ retries }) => retries),
      deadLetters: sum(({ deadLetters }) => deadLetters),
      ledger: sum(({ ledger }) => ledger),
    },
  };
}

const known = (truth: Truth): Partial<Truth> =>
  Object.fromEntries(Object.entries(truth).filter(([, value]) => value !== undefined));

/** Waits until both report the truth, and shows what they report if they never do. */
async function expectTruth(cell: Cell, member: Member, truth: Truth): Promise<void> {
  await cell.until('the reports are true', async () => {
    const { inspected, shown } = await reportsOf(cell, member);
    expect(inspected).toMatchObject(known(truth));
    expect(shown).toMatchObject(known(truth));
    return true;
  });
}

export const tellsTruth: Behaviour = {
  name: 'getStats(), inspect() and nest-streams overview tell the truth',
  shown: async (cell) => {
    const { promises } = cell;
    const { retries, retryKeepsSlot, recordedFirst, ledger, waitsAsDeadLetter } = promises;
    cell.expectLog(/attempt|dead letter|answered with an error/);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await cell.publish(bodies(COUNT, { keys: COUNT + 1 }));
    const member = await cell.member((run, context) => {
      if (run.n === DEAD) context.deadLetter('for the count');
      if (run.n === PUT_OFF) throw new RetryException({ delayMs: LONG_MS });
      return run.n === HELD ? held : undefined;
    });
    const finished = (): number => cell.runs.succeeded.length;
    await cell.until('all run that can', async () => {
      if (cell.runs.of(HELD).length === 0) return false;
      const before = finished();
      const { ledger: inLedger } = await cell.inRedis.records();
      const isRecorded =
        !ledger || recordedFirst || inLedger === cell.inRedis.ledgerBefore + before - 1;
      return isRecorded && before === finished();
    });
    expect(member.monitor.getStats().inFlight).toBe(1);
    const deadBefore = cell.runs.of(DEAD).length;
    const left = COUNT - finished();
    await expectTruth(cell, member, {
      unfinished: recordedFirst ? undefined : waitsAsDeadLetter ? 0 : left,
      retries: undefined,
      deadLetters:
        recordedFirst && waitsAsDeadLetter
          ? undefined
          : deadBefore + (waitsAsDeadLetter ? left : 0),
      ledger: recordedFirst
        ? undefined
        : ledger
          ? cell.inRedis.ledgerBefore + finished() - deadBefore
          : 0,
    });

    release();
    await expectSettled(cell, { handled: COUNT - 1, failed: 1, asked: true });
    const inLedger = ledger ? cell.inRedis.ledgerBefore + COUNT - (recordedFirst ? 0 : 1) : 0;
    await expectTruth(cell, member, {
      unfinished: 0,
      retries: 0,
      deadLetters: 1,
      ledger: inLedger,
    });
    const { inFlight, byStream } = member.monitor.getStats();
    const counts = byStream.find(({ stream }) => stream === cell.stream)?.counts;
    expect(counts).toMatchObject({ handled: COUNT - 1, retried: 0, deadLettered: 1, lost: 0 });
    expect(inFlight).toBe(0);

    if (!retries) return;
    await cell.publish(bodies(1, { keys: COUNT + 1, from: PUT_OFF }));
    await cell.until('a retry is scheduled', async () => {
      const { counts: now } = member.monitor.getStats();
      return now.retried === 1;
    });
    await expectTruth(cell, member, {
      unfinished: waitsAsDeadLetter ? 0 : 1,
      retries: retryKeepsSlot ? 0 : 1,
      deadLetters: waitsAsDeadLetter ? 2 : 1,
      ledger: inLedger,
    });
  },
};
