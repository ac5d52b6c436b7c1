import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';

import { recordedLog } from '../support/recorded-log.js';
import type { Behaviour } from './behaviours/behaviour.js';
import { BEHAVIOURS } from './behaviours/index.js';
import { Cell, type CellTools } from './cell.js';
import { CellPool } from './cell-pool.js';
import { expectQuietLog } from './expectations.js';
import type { Mode } from './mode.js';
import { programsForTests } from './programs.js';
import { stallWatchForTests } from './stall-watch.js';
import { serversForTests, startCluster, startOneServer } from './servers.js';

const AT_ONCE = 30;
const WITHIN_MS = 600_000;
/** How often a cell is tried if its process was stopped because the machine did other things. */
const MOST_ATTEMPTS = 3;
/** What Nest logs about errors that handlers here throw, without saying whose they are. */
const THROWN =
  /^(once|always|no use|after it was settled|Try again in \d+ ms|undefined|\[object Object\]|its own cause)$/;
/** Only cells whose title matches, for working on some of them. */
const ONLY = new RegExp(process.env['MODES_ONLY'] ?? '');
/** Everything at its full size, if there is time. */
export const IS_FULL = process.env['MODES_FORM'] === 'full';
const FULL_SIZE = { backlog: 20_000, restarts: 30 };
const SMALL_SIZE = { backlog: 500, restarts: 2 };

interface SuiteOptions {
  readonly title: string;
  /**
   * How long a message to Redis takes, and an answer back.
   *
   * @default 0
   */
  readonly latencyMs?: number;
  /**
   * Whether backlogs and restarts have their full size.
   *
   * @default in the full form
   */
  readonly heavy?: boolean;
}

/** Every behaviour in each of these modes. The cells run concurrently, and each is a test of its own. */
export function modesSuite(
  modes: readonly Mode[],
  { title: suite, latencyMs = 0, heavy = IS_FULL }: SuiteOptions,
): void {
  const start = modes[0]?.server === 'cluster' ? startCluster : startOneServer;
  const titleOf = (mode: Mode, { name }: Behaviour): string => `${suite}: ${mode.name}: ${name}`;
  const cells = BEHAVIOURS.flatMap((behaviour) =>
    modes.map((mode) => ({ mode, behaviour, title: titleOf(mode, behaviour) })),
  ).filter(({ title }) => ONLY.test(title));

  describe(`${suite}:`, () => {
    if (cells.length === 0) return it.todo('MODES_ONLY takes none of these');
    const servers = serversForTests(() => start(latencyMs));
    const programs = programsForTests();
    const results = new Map<string, Promise<void>>();
    const stalls = stallWatchForTests();
    const begun: Cell[] = [];
    const rejections: unknown[] = [];
    const onRejection = (reason: unknown): void => void rejections.push(reason);

    async function run(mode: Mode, behaviour: Behaviour, tools: CellTools): Promise<void> {
      for (let attempt = 1; ; attempt++) {
        const since = performance.now();
        const cell = new Cell(mode, tools);
        begun.push(cell);
        try {
          return await shown(cell, behaviour);
        } catch (error) {
          // A process that is stopped for as long as a lease has no promises. The lease is renewed three
          // times in that time.
          const stalledMs = stalls.longestSince(since);
          if (attempt === MOST_ATTEMPTS || stalledMs < cell.promises.leaseMs / 2) throw error;
        }
      }
    }
    beforeAll(() => {
      Logger.overrideLogger(recordedLog);
      process.on('unhandledRejection', onRejection);
      const tools = { servers: servers(), ...programs(), ...(heavy ? FULL_SIZE : SMALL_SIZE) };
      const pool = new CellPool(AT_ONCE);
      const onItsOwn = async (mode: Mode, behaviour: Behaviour): Promise<void> => {
        const own = await start(latencyMs);
        await run(mode, behaviour, { ...tools, servers: own }).finally(() => own.stop());
      };
      for (const { mode, behaviour, title } of cells) {
        const result = pool.add(() =>
          behaviour.harmsServer ? onItsOwn(mode, behaviour) : run(mode, behaviour, tools),
        );
        results.set(title, result);
      }
    });
    afterAll(() => void process.off('unhandledRejection', onRejection));

    for (const mode of modes) {
      describe(`${mode.name}:`, () => {
        for (const { behaviour, title } of cells.filter((cell) => cell.mode === mode)) {
          it(`${behaviour.name}`, () => expectShown(results.get(title)), WITHIN_MS);
        }
      });
    }
    it('and nothing else is reported as wrong', async () => {
      await Promise.allSettled(results.values());
      expect(rejections).toEqual([]);
      const errors = recordedLog.lines.filter(({ level }) => level === 'error');
      const others = errors.filter(
        ({ text }) => !THROWN.test(text) && !begun.some((cell) => cell.isAbout(text)),
      );
      expect(others).toEqual([]);
    });
  });
}

async function expectShown(result: Promise<void> | undefined): Promise<void> {
  if (result === undefined) throw new Error('It was never begun');
  await result;
}

async function shown(cell: Cell, behaviour: Behaviour): Promise<void> {
  let isOver = false;
  try {
    await cell.mode.prepare?.(cell.inRedis);
    await behaviour.shown(cell);
    isOver = true;
  } catch (error) {
    if (error instanceof Error) error.message += `\n${await cell.describe()}`;
    throw error;
  } finally {
    // Report what went wrong first.
    await cell.end().catch((error: unknown) => {
      if (isOver) throw error;
    });
  }
  expectQuietLog(cell);
}
