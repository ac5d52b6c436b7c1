import { expect } from '@jest/globals';

import { waitFor } from '../support/wait-for.js';
import type { BrokerUnderTest, IncomingMessage, RecordedState } from './broker-under-test.js';
import { numberOf } from './publish-many.js';

/** Records what a consumer ran, in order. */
export class Recorder {
  /** All runs that began. */
  readonly runs: IncomingMessage[] = [];
  /** The message IDs of the successful ones. */
  readonly handled: string[] = [];
  private readonly awaited = new Map<number, () => void>();

  /** @param work done with each message; the message failed if it throws */
  constructor(private readonly work: (message: IncomingMessage) => unknown = () => undefined) {}

  readonly handle = async (message: IncomingMessage): Promise<void> => {
    const count = this.runs.push(message);
    this.awaited.get(count)?.();
    await this.work(message);
    this.handled.push(message.messageId);
  };

  /** Resolves as soon as this many runs have begun, before anything else happens. */
  begun(count: number): Promise<void> {
    if (this.runs.length >= count) return Promise.resolve();
    return new Promise((resolve) => void this.awaited.set(count, resolve));
  }
}

/** A busy machine is slow: only what never happens should fail. */
export const PATIENCE = { timeoutMs: 60_000 };

/**
 * Expects each of `expected` and nothing else, each as often as it is listed. Reports what is missing and
 * what is extra.
 */
export function expectExactly(actual: readonly string[], expected: readonly string[]): void {
  const wanted = new Set(expected);
  const seen = new Set<string>();
  const twice = actual.filter((id) => seen.size === seen.add(id).size);
  expect({
    missing: expected.filter((id) => !seen.has(id)),
    twice,
    unexpected: [...seen].filter((id) => !wanted.has(id)),
  }).toEqual({ missing: [], twice: [], unexpected: [] });
}

/**
 * Waits until everything is settled with these numbers: nothing pending, leased, waiting for a retry, counted
 * or running is left.
 *
 * @param numbers `othersRun`: whether messages of other streams may still run
 */
export async function expectSettled(
  broker: BrokerUnderTest,
  stream: string,
  group: string,
  {
    processed,
    deadLetters = 0,
    othersRun = false,
  }: { processed: number; deadLetters?: number; othersRun?: boolean },
): Promise<void> {
  const settled = {
    pending: 0,
    processed,
    deadLetters,
    leases: 0,
    retries: 0,
    attempts: 0,
    running: othersRun ? expect.any(Number) : 0,
  } satisfies Record<keyof RecordedState, unknown>;
  await waitFor(
    async () => {
      expect(await broker.state(stream, group)).toEqual(settled);
      return true;
    },
    { ...PATIENCE, description: `settled in ${stream} for ${group}` },
  );
}

/**
 * Expects the messages of {@link publishMany} to have run in the order of publishing, as far as that is
 * promised.
 *
 * @param runs one for each message
 */
export function expectInOrder(
  { promises }: BrokerUnderTest,
  runs: readonly IncomingMessage[],
): void {
  if (promises.order === 'none') return;
  const last = new Map<string | undefined, number>();
  const breaks: string[] = [];
  for (const { key, payload } of runs) {
    const lane = promises.order === 'key' ? key : undefined;
    const [before = -1, n] = [last.get(lane), numberOf(payload)];
    if (n < before) breaks.push(`${n} after ${before}${lane === undefined ? '' : ` of ${lane}`}`);
    last.set(lane, n);
  }
  expect({ breaks: breaks.length, first: breaks.slice(0, 5) }).toEqual({ breaks: 0, first: [] });
}
