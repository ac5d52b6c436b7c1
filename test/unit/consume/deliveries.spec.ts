import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { GIVE_BACK, type Outcome } from '../../../lib/consume/decide.js';
import { deliveriesFor } from '../../../lib/consume/delivery/deliveries-for.js';
import type { Deliveries } from '../../../lib/consume/delivery/deliveries.js';
import type { Message } from '../../../lib/consume/message.js';
import { DEFAULTS, type ResolvedSubscription } from '../../../lib/options/resolved-options.js';
import { reserveWithoutLedgerScript } from '../../../lib/redis/scripts/reserve/reserve-without-ledger.script.js';
import { reserveScript } from '../../../lib/redis/scripts/reserve/reserve.script.js';
import { startRedriveScript } from '../../../lib/redis/scripts/reserve/start-run.script.js';
import type { Script, ScriptRunner } from '../../../lib/redis/scripts/script.js';
import {
  commitRedrivesScript,
  commitScript,
} from '../../../lib/redis/scripts/settle/commit.script.js';
import { deadLetterScript } from '../../../lib/redis/scripts/settle/dead-letter.script.js';
import { handOverScript } from '../../../lib/redis/scripts/settle/hand-over.script.js';
import { putBackScript } from '../../../lib/redis/scripts/settle/put-back.script.js';
import { scheduleRetryScript } from '../../../lib/redis/scripts/settle/schedule-retry.script.js';
import type { Holder } from '../../../lib/wire/ids.js';
import { streamKeys } from '../../../lib/wire/stream-keys.js';
import { aMessage } from '../../support/a-message.js';

const NAMES = new Map<unknown, string>([
  [reserveScript, 'reserve'],
  [reserveWithoutLedgerScript, 'reserve without ledger'],
  [startRedriveScript, 'start redrive'],
  [commitScript, 'commit'],
  [commitRedrivesScript, 'commit redrives'],
  [deadLetterScript, 'dead letter'],
  [handOverScript, 'hand over'],
  [putBackScript, 'put back'],
  [scheduleRetryScript, 'schedule retry'],
]);

/** Records the scripts that it is asked to run, and answers as Redis would if nothing is in the way. */
class RecordedScripts implements ScriptRunner {
  readonly ran: { readonly name: string; readonly args: readonly unknown[] }[] = [];
  /** How many times Redis refuses before it takes anything. */
  refusals = 0;
  /** What put-back answers. */
  isBack = true;

  async run<Reply>(
    script: Script<Reply>,
    _keys: readonly string[],
    args: readonly unknown[],
  ): Promise<Reply> {
    const name = NAMES.get(script) ?? 'another';
    this.ran.push({ name, args });
    if (this.refusals-- > 0) throw new Error('READONLY');
    return this.answer(name, args) as Reply;
  }

  get names(): string[] {
    return this.ran.map(({ name }) => name);
  }

  private answer(name: string, args: readonly unknown[]): unknown {
    const reservation = { kind: 'new', attempt: 1, alone: false };
    const reservations = (list: unknown): unknown[] =>
      (JSON.parse(String(list)) as unknown[]).map(() => reservation);
    switch (name) {
      case 'reserve':
        return { shownMs: 1_000, reservations: reservations(args[6]) };
      case 'reserve without ledger':
        return reservations(args[3]);
      case 'put back':
        return [this.isBack];
      case 'schedule retry':
        return [true];
      default:
        return true;
    }
  }
}

const MODES: Record<string, Partial<ResolvedSubscription>> = {
  leased: {},
  'pending only': { dedup: false },
  'recorded first': { delivery: 'at-most-once' },
  'recorded first, without a ledger': { delivery: 'at-most-once', dedup: false },
};

const closing = new AbortController();
const logger = new Logger('test');
let scripts: RecordedScripts;

beforeEach(() => {
  scripts = new RecordedScripts();
  jest.spyOn(logger, 'warn').mockReturnValue(undefined);
});
afterEach(() => {
  jest.useRealTimers();
});

function deliveries(mode: keyof typeof MODES, batchSize = 10): Deliveries {
  const options = { ...DEFAULTS.subscription, ...MODES[mode], batchSize };
  const keys = streamKeys('', 'orders', 'billing');
  const place = { stream: 'orders', keys, group: 'billing', consumer: 'one', leaseMs: 60_000 };
  return deliveriesFor(
    { ...place, holder: 'token' as Holder },
    options,
    scripts,
    { begin: () => undefined },
    { note: () => undefined, untilTried: () => Promise.resolve(false) },
    logger,
    closing.signal,
  );
}

const handled: Outcome = { kind: 'handled' };
const retry: Outcome = { kind: 'retry', delayMs: 5, inPlace: false, error: undefined };
const dead: Outcome = {
  kind: 'dead',
  reason: 'no',
  error: undefined,
  attempts: 1,
  reply: undefined,
};
const redrive = (): Message => aMessage('dead-letter:5-0', 'm5');

async function settled(its: Deliveries, message: Message, outcome: Outcome): Promise<unknown> {
  const settling = its.settle(message, outcome, false);
  its.flush();
  return settling;
}

describe.each([
  ['leased', 'reserve', 'commit', 'hand over'],
  ['pending only', 'reserve without ledger', 'commit', 'hand over'],
  ['recorded first', 'reserve', undefined, 'put back'],
  ['recorded first, without a ledger', 'reserve without ledger', undefined, undefined],
] as const)('%s', (mode, reserves, commits, givesBack) => {
  it('reserves with one script', async () => {
    const batch = [aMessage('1-0'), aMessage('2-0')];
    await deliveries(mode).reserve(batch);
    expect(batch.map(({ reservation }) => reservation)).toEqual(['new', 'new']);
    expect(scripts.names).toEqual([reserves]);
  });

  it('reserves redrives with a script of their own, and tells each message', async () => {
    const batch = [redrive(), aMessage('1-0')];
    await deliveries(mode).reserve(batch);
    expect(batch.map(({ reservation }) => reservation)).toEqual(['new', 'new']);
    expect(scripts.names).toEqual([reserves, 'reserve']);
    expect(batch.every(({ leasedAt }) => leasedAt !== undefined)).toBe(true);
  });

  it('records a success', async () => {
    await settled(deliveries(mode), aMessage('1-0'), handled);
    expect(scripts.names).toEqual(commits === undefined ? [] : [commits]);
  });

  it('gives back what did not start, and says if it cannot', async () => {
    const isBack = await settled(deliveries(mode), aMessage('1-0'), GIVE_BACK);
    expect(scripts.names).toEqual(givesBack === undefined ? [] : [givesBack]);
    expect(isBack).toBe(givesBack !== undefined);
  });

  it('writes a dead letter', async () => {
    await settled(deliveries(mode), aMessage('1-0'), dead);
    expect(scripts.names).toEqual(['dead letter']);
  });

  it('gives back a redrive that did not start to the dead letters', async () => {
    expect(await settled(deliveries(mode), redrive(), GIVE_BACK)).toBe(true);
    expect(scripts.names).toEqual(['hand over']);
  });
});

describe('redrives', () => {
  it('are committed by a script of their own, with and without a ledger', async () => {
    await settled(deliveries('leased'), redrive(), handled);
    await settled(deliveries('pending only'), redrive(), handled);
    expect(scripts.names).toEqual(['commit redrives', 'commit redrives']);
  });

  it('have a lease of their own without a ledger, where a message ID may run twice', async () => {
    await deliveries('leased').reserve([redrive()]);
    await deliveries('pending only').reserve([redrive()]);
    const leases = scripts.ran.map(({ args }) => args[7]);
    expect(leases).toEqual(['["m5"]', '["dead-letter:5-0"]']);
  });

  it('leave the dead letters when they start, at most once, and are acknowledged from then on', async () => {
    const its = deliveries('recorded first');
    const message = redrive();
    const mode = its.modeOf(message);
    expect(mode.mustRecordStart(message)).toBe(true);
    expect(mode.isOnlyOurs(message)).toBe(false);
    expect(await its.recordStart(message)).toBe(true);
    expect(mode.isOnlyOurs(message)).toBe(true);
    expect(scripts.names).toEqual(['start redrive']);
  });
});

describe('settling in batches', () => {
  it('sends many successes in one script, and retries in another', async () => {
    const its = deliveries('leased');
    const settling = [1, 2, 3].map((n) => its.settle(aMessage(`${n}-0`), handled, false));
    settling.push(its.settle(aMessage('4-0'), retry, false));
    expect(scripts.names).toEqual([]);
    its.flush();
    await Promise.all(settling);
    expect(scripts.names).toEqual(['commit', 'schedule retry']);
    expect(scripts.ran[0]?.args[2]).toBe('["1-0","2-0","3-0"]');
  });

  it('sends a full batch at once, unless a reservation follows that it can go along with', async () => {
    const its = deliveries('leased', 2);
    void its.settle(aMessage('1-0'), handled, false);
    await its.settle(aMessage('2-0'), handled, false);
    expect(scripts.names).toEqual(['commit']);
    void its.settle(aMessage('3-0'), handled, true);
    void its.settle(aMessage('4-0'), handled, true);
    expect(scripts.names).toEqual(['commit']);
    await its.reserve([aMessage('5-0')]);
    expect(scripts.names).toEqual(['commit', 'commit', 'reserve']);
  });

  it('waits no longer than some milliseconds for others', async () => {
    jest.useFakeTimers();
    const its = deliveries('leased');
    const settling = its.settle(aMessage('1-0'), handled, false);
    await jest.advanceTimersByTimeAsync(5);
    await settling;
    expect(scripts.names).toEqual(['commit']);
  });

  it('sends a step again until Redis takes it', async () => {
    scripts.refusals = 2;
    await settled(deliveries('leased'), aMessage('1-0'), handled);
    expect(scripts.names).toEqual(['commit', 'commit', 'commit']);
  });

  it('says that at-most-once has lost what Redis could not take back', async () => {
    scripts.isBack = false;
    expect(await settled(deliveries('recorded first'), aMessage('1-0'), GIVE_BACK)).toBe(false);
  });

  it('is drained once everything is sent and answered', async () => {
    const its = deliveries('leased');
    void its.settle(aMessage('1-0'), handled, false);
    void its.settle(aMessage('2-0'), GIVE_BACK, false);
    await its.drained();
    expect(scripts.names).toEqual(['commit', 'hand over']);
  });
});

describe('renewing', () => {
  it('tells which messages are lost even if another part of them fails', async () => {
    const its = deliveries('leased');
    const messages = Array.from({ length: 250 }, (_, n) => aMessage(`${n}-0`, `m${n}`));
    let calls = 0;
    jest.spyOn(scripts, 'run').mockImplementation((): Promise<never> => {
      calls++;
      // The first part: only its first message is lost.
      const kept = Array.from({ length: 200 }, (_, n) => n > 0);
      return calls === 1 ? Promise.resolve(kept as never) : Promise.reject(new Error('gone'));
    });
    const lost: string[] = [];
    const renewed = (async () => {
      for await (const { messageId } of its.renew(messages)) lost.push(messageId);
    })();
    await expect(renewed).rejects.toThrow('gone');
    expect(lost).toEqual(['m0']);
    expect(calls).toBe(2);
  });
});
