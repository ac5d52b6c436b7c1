import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, expect, it } from '@jest/globals';

import { endChildPrograms } from '../../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../../support/compiled-package.js';
import type { RedisForTests } from '../../support/redis-for-tests.js';
import { ChaosRun } from './chaos-run.js';
import { beyond, type Bound, inOneLine } from './counts.js';
import { Journal } from './journal.js';
import { oneFile } from './one-file.js';
import { Spares } from './spares.js';

/** How a scenario is written: it injects its faults, drains, and returns what the guarantees allow. */
type ScenarioBody = (chaos: ChaosRun) => Promise<Bound>;

interface ScenarioOptions {
  /** The promises of `docs/guarantees.md` that it concerns, and what they allow, to understand a failure. */
  readonly promises: string;
  /** How often it is run in the full form, each time with another seed. @default 3 */
  readonly rounds?: number;
  /** @default 60 000 */
  readonly timeoutMs?: number;
}

/** Registers a scenario as a test. */
export type Scenario = (name: string, options: ScenarioOptions, body: ScenarioBody) => void;

/** Whether this is the form that CI runs. */
export const isShort = process.env['CHAOS_FORM'] === 'short';

const { CHAOS_SEED, CHAOS_ROUNDS } = process.env;

/** Gives the scenarios of a file what they need. They share its Redis, one after the other. */
export function scenarios(redis: RedisForTests): Scenario {
  let compiled: CompiledPackage;
  let folder = '';
  let spares: Spares;
  beforeAll(async () => {
    compiled = await compiledPackage('test/chaos/programs');
    folder = await mkdtemp(join(tmpdir(), 'nestjs-redis-streams-chaos-'));
    const program = compiled.program('test/chaos/programs/consumer.program.ts');
    spares = new Spares(await oneFile(program), folder);
    spares.fill();
  });
  afterAll(async () => {
    await endChildPrograms();
    await rm(folder, { recursive: true, force: true });
  });

  return (name, { promises, rounds = 3, timeoutMs = 60_000 }, body) => {
    const count = Number(CHAOS_ROUNDS ?? (isShort || CHAOS_SEED !== undefined ? 1 : rounds));
    for (let round = 1; round <= count; round++) {
      it(
        `${name}${count === 1 ? '' : ` (${round} of ${count})`}`,
        async () => {
          const seed = Number(CHAOS_SEED ?? randomInt(2 ** 31));
          const journal = new Journal(join(folder, `journal-${seed}-${round}`));
          await journal.create();
          const chaos = new ChaosRun({
            seed,
            journal,
            redisUrl: redis.url,
            redis: redis.client,
            spares,
          });
          try {
            // A hanging scenario ends before its test does, so that what it started is ended too.
            const inTime: ScenarioBody = (chaosRun) =>
              Promise.race([body(chaosRun), timeout(timeoutMs - CLEANUP_MS)]);
            await expect(play({ name, promises, seed }, chaos, inTime)).resolves.toBeUndefined();
          } finally {
            await chaos.close();
          }
        },
        timeoutMs,
      );
    }
  };
}

/** For what comes after a scenario: counting, reporting, and ending what runs. */
const CLEANUP_MS = 15_000;

async function timeout(ms: number): Promise<never> {
  await delay(ms, undefined, { ref: false });
  throw new Error(`it did not end within ${ms} ms`);
}

async function play(
  { name, promises, seed }: { name: string; promises: string; seed: number },
  chaos: ChaosRun,
  body: ScenarioBody,
): Promise<void> {
  const begun = performance.now();
  let bound: Bound = {};
  let wrong: string[];
  let cause: unknown;
  try {
    bound = await body(chaos);
    wrong = [];
  } catch (error) {
    cause = error;
    wrong = [error instanceof Error ? error.message : String(error)];
  }
  const counts = await chaos.counts(bound);
  wrong.push(...(cause === undefined ? beyond(counts, bound) : []));
  const took = `${((performance.now() - begun) / 1000).toFixed(1)} s`;
  const line = `${name}: ${inOneLine(counts, bound)}; seed ${seed}, ${took}`;
  process.stderr.write(`${wrong.length === 0 ? 'ok' : 'NOT OK'}  ${line}\n`);
  if (wrong.length === 0) return;
  const logs = chaos.consumers.map(
    ({ pid, output }) => `consumer ${pid}:\n${output.split('\n').slice(-15).join('\n')}`,
  );
  throw new Error(
    [
      line,
      ...wrong.slice(0, 20).map((what) => `  ${what}`),
      ...(wrong.length > 20 ? [`  and ${wrong.length - 20} more`] : []),
      ...(await timeline(chaos, wrong)),
      `Promised: ${promises}`,
      `Again: CHAOS_SEED=${seed} npm run test:chaos -- -t '${name}'`,
      ...logs,
    ].join('\n'),
    { cause },
  );
}

/** The runs of the messages that a failure names, between the faults, in order. */
async function timeline(chaos: ChaosRun, wrong: readonly string[]): Promise<string[]> {
  const named = new Set(wrong.slice(0, 5).map((what) => what.split(' ', 1)[0]));
  const events = [...chaos.notes];
  for (const run of await chaos.journal.runs()) {
    if (!named.has(run.messageId)) continue;
    const { messageId, entryId, attempt, pid, startedAt, endedAt, outcome } = run;
    const of = `${messageId} (entry ${entryId}, attempt ${attempt}) in consumer ${pid}`;
    events.push({ at: startedAt, what: `begins: ${of}` });
    if (endedAt !== undefined) events.push({ at: endedAt, what: `${outcome}: ${of}` });
  }
  const begun = Math.min(...events.map(({ at }) => at));
  return events
    .sort((a, b) => a.at - b.at)
    .map(({ at, what }) => `  ${(at - begun).toFixed(0).padStart(6)} ms  ${what}`);
}
