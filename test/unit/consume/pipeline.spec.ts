import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';

import { Decoder } from '../../../lib/consume/decoder.js';
import { deliveriesFor } from '../../../lib/consume/delivery/deliveries-for.js';
import type { Script, ScriptRunner } from '../../../lib/redis/scripts/script.js';
import { DueRoom } from '../../../lib/consume/due-room.js';
import { HandlerRunner } from '../../../lib/consume/handlers/handler-runner.js';
import { RequestRuns } from '../../../lib/consume/handlers/request-runs.js';
import { ArrivalOrder } from '../../../lib/consume/order/sequencer.js';
import { Pipeline } from '../../../lib/consume/pipeline.js';
import { Quarantine } from '../../../lib/consume/quarantine.js';
import { ReadAheadBytes } from '../../../lib/consume/read-ahead-bytes.js';
import { RefusedMessages } from '../../../lib/consume/refused-messages.js';
import { DelayFaults, Report } from '../../../lib/consume/report.js';
import { Slots } from '../../../lib/consume/slots.js';
import { StreamPlace } from '../../../lib/consume/stream-place.js';
import { ConsumerTallies } from '../../../lib/consume/tallies.js';
import { Demand } from '../../../lib/consume/waiting.js';
import { DEFAULTS } from '../../../lib/options/resolved-options.js';
import type { RawEntry } from '../../../lib/redis/read/replies.js';
import { commitScript } from '../../../lib/redis/scripts/settle/commit.script.js';
import { deadLetterScript } from '../../../lib/redis/scripts/settle/dead-letter.script.js';
import { reserveScript } from '../../../lib/redis/scripts/reserve/reserve.script.js';
import { renewScript } from '../../../lib/redis/scripts/reserve/renew.script.js';
import { startAloneScript } from '../../../lib/redis/scripts/reserve/start-run.script.js';
import type { Holder } from '../../../lib/wire/ids.js';
import { JsonCodec } from '../../../lib/wire/json.codec.js';
import { streamKeys } from '../../../lib/wire/stream-keys.js';

// Long, since the wall clock goes on while the tests hold the other one.
const LEASE_MS = 60_000;
const codec = new JsonCodec();
const logger = new Logger('test');

interface Answer {
  readonly promise: Promise<void>;
  readonly give: () => void;
}
function answer(): Answer {
  let give = (): void => undefined;
  const promise = new Promise<void>((resolve) => (give = resolve));
  return { promise, give };
}

/** Redis's answers: all at once, unless a test holds one back. */
class HeldScripts implements ScriptRunner {
  runsAlone = false;
  refuseReservations = false;
  readonly held = new Map<unknown, Answer>();
  readonly reserved: string[][] = [];
  /** What the next renewals answer. */
  kept: boolean[] = [];
  /** What Redis refuses. */
  readonly refused = new Map<unknown, number>();

  async run<Reply>(
    script: Script<Reply>,
    _keys: readonly string[],
    args: readonly unknown[],
  ): Promise<Reply> {
    if ((script as unknown) === reserveScript) {
      const rowIds = JSON.parse(String(args[6])) as string[];
      if (this.refuseReservations) throw wrongType();
      this.reserved.push(rowIds);
      await this.held.get(script)?.promise;
      const reservation = { kind: 'new', attempt: 1, alone: this.runsAlone };
      return { shownMs: 1, reservations: rowIds.map(() => reservation) } as Reply;
    }
    await this.held.get(script)?.promise;
    if ((script as unknown) === renewScript) return this.kept as Reply;
    const refusals = this.refused.get(script);
    if (refusals !== undefined) {
      this.refused.set(script, refusals + 1);
      throw Object.assign(new Error('ERR no'), { name: 'ReplyError' });
    }
    return true as Reply;
  }
}

const wrongType = (): Error =>
  Object.assign(new Error('WRONGTYPE Operation against a key holding the wrong kind of value'), {
    name: 'ReplyError',
  });

const entry = (n: number): RawEntry => {
  const fields = codec.encode('orders', { name: 'orders', payload: n, messageId: `m${n}` });
  return { id: `${n + 1}-0`, fields: fields.map((field) => Buffer.from(field)) };
};

let scripts: HeldScripts;
let handled: unknown[];
let handlerEnds: Answer | undefined;

/** A pipeline with one slot, over recorded scripts. @param tried resolves once a refused stream is worth trying again */
function pipelineOf(tried?: Promise<void>): Pipeline {
  const options = DEFAULTS.subscription;
  const keys = streamKeys('', 'orders', 'billing');
  const claim = { stream: 'orders', keys, group: 'billing', consumer: 'one', leaseMs: LEASE_MS };
  const consumed = {
    stream: 'orders',
    options,
    isNamed: true,
    wildcards: [],
    invoke: async ({ envelope }: { envelope: { payload: unknown } }) => {
      handled.push(envelope.payload);
      await handlerEnds?.promise;
      return { kind: 'handled' as const };
    },
  };
  const tally = new ConsumerTallies('billing', 'one').of('orders');
  const noRequests = new RequestRuns(undefined as never, undefined as never, codec, {
    ...claim,
    streamKey: keys.stream,
    holder: 'token',
    mostReplyBytes: options.replyBufferBytes,
  });
  const report = new Report('orders', 'billing', tally, logger, new DelayFaults(logger));
  const deliveries = deliveriesFor(
    { ...claim, holder: 'token' as Holder },
    options,
    scripts,
    { begin: () => undefined },
    { note: () => undefined, untilTried: () => tried?.then(() => true) ?? Promise.resolve(false) },
    logger,
    new AbortController().signal,
  );
  return new Pipeline(
    new StreamPlace('orders', keys, consumed),
    new Decoder('orders', codec),
    new ArrivalOrder(),
    deliveries,
    new Slots(options, new Quarantine(LEASE_MS)),
    new HandlerRunner('orders', consumed.invoke, undefined, noRequests, tally),
    noRequests,
    report,
    new RefusedMessages(deliveries, noRequests, report),
    new Demand(),
    new DueRoom(new Demand()),
    new ReadAheadBytes(options.readAheadBytes),
  );
}

const settle = async (): Promise<void> => {
  for (let n = 0; n < 5; n++) await new Promise(setImmediate);
};
const NEW = { isNew: true };

beforeEach(() => {
  scripts = new HeldScripts();
  handled = [];
  handlerEnds = undefined;
});

describe('the pipeline of a stream', () => {
  it('takes a message from its entry to its acknowledgement', async () => {
    const pipeline = pipelineOf();
    pipeline.offer([entry(0), entry(1)], NEW);
    await settle();
    await pipeline.drain();
    expect(handled).toEqual([0, 1]);
    expect(pipeline.inHand.size).toBe(0);
  });

  it('records again what Redis refused, and does not run the message a second time', async () => {
    const now = jest.spyOn(performance, 'now');
    const startedAt = performance.now();
    const pipeline = pipelineOf();
    for (const script of [commitScript, deadLetterScript]) scripts.refused.set(script, 0);
    pipeline.offer([entry(0)], NEW);
    await settle();
    await pipeline.deliveries.drained();
    await settle();
    expect(handled).toEqual([0]);
    expect([...scripts.refused.values()]).toEqual([1, 1]);
    expect(pipeline.inHand.size).toBe(0);
    pipeline.offer([entry(0)]);
    await settle();
    expect(scripts.reserved).toHaveLength(1);
    for (const afterMs of [31_000, 92_000]) {
      now.mockReturnValue(startedAt + afterMs);
      pipeline.offer([entry(0)]);
      await settle();
      await pipeline.deliveries.drained();
      await settle();
    }
    expect(handled).toEqual([0]);
    expect([...scripts.refused.values()]).toEqual([3, 3]);
    scripts.refused.clear();
    now.mockReturnValue(startedAt + 300_000);
    pipeline.offer([entry(0)]);
    await settle();
    await pipeline.drain();
    expect(handled).toEqual([0]);
    expect(pipeline.knows('1-0')).toBe(false);
  });

  it('keeps the order of messages that have to be reserved again, before those that were read later', async () => {
    const now = jest.spyOn(performance, 'now');
    const startedAt = performance.now();
    const pipeline = pipelineOf();
    handlerEnds = answer();
    pipeline.offer([entry(0), entry(1)], NEW);
    await settle();
    scripts.held.set(reserveScript, answer());
    now.mockReturnValue(startedAt + 0.5 * LEASE_MS);
    pipeline.offer([entry(2)], NEW);
    await settle();
    // By now the lease of the second message is too old, and that of the third is not.
    now.mockReturnValue(startedAt + 0.9 * LEASE_MS);
    handlerEnds.give();
    handlerEnds = undefined;
    await settle();
    const { give } = scripts.held.get(reserveScript)!;
    scripts.held.clear();
    give();
    await settle();
    now.mockRestore();
    expect(scripts.reserved).toEqual([['1-0', '2-0'], ['3-0'], ['2-0', '3-0']]);
    expect(handled).toEqual([0, 1, 2]);
    await pipeline.drain();
  });

  it('keeps a message that is reserved while a renewal is on its way that does not find its lease', async () => {
    const tried = answer();
    const pipeline = pipelineOf(tried.promise);
    handlerEnds = answer();
    pipeline.offer([entry(0)], NEW);
    await settle();
    scripts.refuseReservations = true;
    pipeline.offer([entry(1)], NEW);
    await settle();
    scripts.held.set(renewScript, answer());
    scripts.kept = [true, false];
    const renewed = pipeline.renew();
    scripts.refuseReservations = false;
    tried.give();
    await settle();
    scripts.held.get(renewScript)!.give();
    await renewed;
    handlerEnds.give();
    await settle();
    await pipeline.drain();
    expect(handled).toEqual([0, 1]);
  });

  it('reserves again in pages, in order, and each message once', async () => {
    const now = jest.spyOn(performance, 'now');
    const startedAt = performance.now();
    const pipeline = pipelineOf();
    handlerEnds = answer();
    const all = Array.from({ length: 1_200 }, (_, n) => n);
    pipeline.offer(all.map(entry), NEW);
    await settle();
    now.mockReturnValue(startedAt + LEASE_MS);
    handlerEnds.give();
    handlerEnds = undefined;
    for (let turn = 0; turn < 2_000 && handled.length < 1_200; turn++) await settle();
    now.mockRestore();
    expect(scripts.reserved.map(({ length }) => length)).toEqual([1_200, 1_000, 199]);
    expect(handled).toEqual(all);
    await pipeline.drain();
  });

  it('does not start a message whose lease grew too old while its start was recorded', async () => {
    const now = jest.spyOn(performance, 'now');
    const startedAt = performance.now();
    const pipeline = pipelineOf();
    scripts.runsAlone = true;
    scripts.held.set(startAloneScript, answer());
    pipeline.offer([entry(0)], NEW);
    await settle();
    now.mockReturnValue(startedAt + LEASE_MS);
    scripts.held.get(startAloneScript)!.give();
    await settle();
    now.mockRestore();
    await pipeline.drain();
    expect(handled).toEqual([]);
    expect(pipeline.inHand.size).toBe(0);
  });

  it('reserves a request again whose lease grew too old while its caller was asked: it stays first', async () => {
    const asked = answer();
    const mustAsk = jest.spyOn(RequestRuns.prototype, 'mustAsk').mockReturnValueOnce(true);
    mustAsk.mockReturnValueOnce(true).mockReturnValue(false);
    const ask = jest.spyOn(RequestRuns.prototype, 'askCallers').mockReturnValue(asked.promise);
    const now = jest.spyOn(performance, 'now');
    const startedAt = performance.now();
    const pipeline = pipelineOf();
    pipeline.offer([entry(0), entry(1)], NEW);
    await settle();
    now.mockReturnValue(startedAt + LEASE_MS);
    asked.give();
    await settle();
    for (const spy of [now, mustAsk, ask]) spy.mockRestore();
    await pipeline.drain();
    expect(scripts.reserved).toEqual([
      ['1-0', '2-0'],
      ['1-0', '2-0'],
    ]);
    expect(handled).toEqual([0, 1]);
  });
});
