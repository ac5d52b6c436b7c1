import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { childProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { redisForTests } from '../support/redis-for-tests.js';

const SAMPLES = ['03-retries-and-dead-letters', '04-cqrs', '05-interop'] as const;
const redis = redisForTests();
let compiled: CompiledPackage;

beforeAll(async () => {
  compiled = await compiledPackage(...SAMPLES.map((name) => `sample/${name}/src`));
});
afterEach(endChildPrograms);

/** What a sample prints until it ends by itself, without Nest's prefix. */
async function printedBy(name: (typeof SAMPLES)[number]): Promise<string[]> {
  const program = childProgram(compiled.program(`sample/${name}/src/main.ts`), {
    env: { REDIS_URL: redis.url, NO_COLOR: '1' },
  });
  const code = await program.ended;
  const output = program.output();
  expect([code, output]).toEqual([0, expect.not.stringMatching(/\b(WARN|ERROR)\b/)]);
  return [...output.matchAll(/\[(?:Payments|Sample|Users|Mail|Audit|Python|Orders|Go)\] .*/g)].map(
    ([line]) => line,
  );
}

const of = (who: string, lines: readonly string[]): string[] =>
  lines.filter((line) => line.startsWith(`[${who}]`));

describe('samples', () => {
  it('03-retries-and-dead-letters: retries, dead-letters, and redrives', async () => {
    const lines = await printedBy('03-retries-and-dead-letters');
    const attempts = (id: string) => lines.filter((line) => line.includes(`${id}: attempt`)).length;
    expect(['plain', 'away', 'odd', 'empty'].map(attempts)).toEqual([1, 3, 4, 1]);
    expect(lines.filter((line) => line.endsWith(': paid'))).toEqual([
      '[Payments] plain: paid',
      '[Payments] away: paid',
      '[Payments] odd: paid',
    ]);
    expect(of('Sample', lines)).toEqual([
      expect.stringMatching(/Dead letter .*"odd".*the bank has a bug; attempts: 3/),
      expect.stringMatching(/Dead letter .*"empty".*: nothing to pay .*attempts: 1/),
      expect.stringContaining('The bank is repaired'),
      '[Sample] Redriven: 1. Handled: 3, retried: 4, dead letters: 2',
      '[Sample] Purged: 1',
    ]);
  });

  it('04-cqrs: a command goes to one service, in Nest or in Python, an event to all, and a failed handler gets it again', async () => {
    const lines = await printedBy('04-cqrs');
    const names = ['Ada', 'Barbara', 'Edsger', 'Grace', 'Guido'];
    expect(of('Users', lines).sort()).toEqual(names.map((name) => `[Users] created ${name}`));
    expect(of('Mail', lines).sort()).toEqual(names.map((name) => `[Mail] welcome, ${name}`));
    expect(lines.filter((line) => line.includes('could not write'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('wrote down'))).toHaveLength(5);
    expect(of('Python', lines)).toEqual([
      expect.stringMatching(/^\[Python\] posted a letter: \{"id":"[\da-f-]{36}","to":"Ada"\}$/),
    ]);
    expect(of('Sample', lines)).toEqual([
      '[Sample] sent twice, known as duplicates: true',
      '[Sample] commands executed: 5, by two instances',
      '[Sample] events handled: mail 5, audit 5',
    ]);
  });

  it('05-interop: reads what Python and Go write, and writes what Go reads', async () => {
    const lines = await printedBy('05-interop');
    expect(lines).toEqual([
      '[Orders] order.created: 2 × ORD-1',
      expect.stringMatching(/^\[Orders\] Dead letter \{.*"ORD-2".*\}: quantity: .*number/),
      expect.stringMatching(
        /^\[Go\] ship:ORD-1 \{"order_id":"ORD-1","quantity":2\} \{"trace":"\d+-\d+","name":"orders.ShipOrder"\}$/,
      ),
      '[Orders] orders.OrderShipped: ORD-1, by ox cart',
    ]);
  });
});
