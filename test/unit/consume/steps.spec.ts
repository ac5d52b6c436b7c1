import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ReplyError } from 'ioredis';

import { type Standing, Steps } from '../../../lib/consume/delivery/steps.js';
import type { Message } from '../../../lib/consume/message.js';
import { StepFaults } from '../../../lib/consume/report.js';
import { aMessage } from '../../support/a-message.js';

const logger = new Logger('test');
const refused = (message: string): Error => new ReplyError(message) as Error;
const NOTHING = refused('ERR value is not what it should be');

let noted: unknown[];
let standing: Standing;
let steps: Steps;
let sent: string[][];

beforeEach(() => {
  jest.spyOn(logger, 'warn').mockReturnValue(undefined);
  noted = [];
  sent = [];
  standing = { note: (error) => noted.push(error), untilTried: () => Promise.resolve(true) };
  steps = new Steps(new StepFaults(logger, 'orders'), standing, new AbortController().signal);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const messages = (count: number): Message[] =>
  Array.from({ length: count }, (_, n) => aMessage(`${n}-0`, `m${n}`));

/** Refuses whatever has one of these in it. */
const refusing =
  (...ids: string[]) =>
  (some: readonly Message[]): Promise<string[]> => {
    const names = some.map(({ messageId }) => messageId as string);
    sent.push(names);
    return names.some((name) => ids.includes(name))
      ? Promise.reject(NOTHING)
      : Promise.resolve(names);
  };

describe('a step that Redis refuses', () => {
  it('is done for all messages but the refused ones, with few calls', async () => {
    const all = messages(64);
    const answers = await steps.take('commit', all, refusing('m5', 'm40'));
    expect(
      all.filter(({ refusal }) => refusal !== undefined).map(({ messageId }) => messageId),
    ).toEqual(['m5', 'm40']);
    expect(answers).toEqual(all.map(({ messageId, refusal }) => (refusal ? undefined : messageId)));
    expect(sent.length).toBeLessThan(30);
    expect(noted).toEqual([]);
  });

  it('is sent once if nothing is refused', async () => {
    expect(await steps.take('commit', messages(3), refusing())).toEqual(['m0', 'm1', 'm2']);
    expect(sent).toHaveLength(1);
  });

  it('waits for the stream if that is to blame', async () => {
    let tries = 0;
    const send = (): Promise<string> =>
      ++tries < 3
        ? Promise.reject(refused('WRONGTYPE Operation against a key'))
        : Promise.resolve('done');
    const [message] = messages(1);
    expect(await steps.take('commit', [message!], send)).toBe('done');
    expect(noted).toHaveLength(2);
    expect(message?.refusal).toBeUndefined();
  });

  it('ends without an answer once everything ends', async () => {
    standing = { ...standing, untilTried: () => new Promise(() => undefined) };
    steps = new Steps(new StepFaults(logger, 'orders'), standing, new AbortController().signal);
    const all = messages(2);
    const wrong = (): Promise<never> => Promise.reject(refused('NOPERM no right'));
    const done = steps.take('commit', all, wrong);
    await new Promise(setImmediate);
    expect(steps.heldUp).toEqual(all);
    steps.end();
    expect(await done).toBeUndefined();
    expect(steps.heldUp).toEqual([]);
    expect(all.map(({ refusal }) => refusal)).toEqual([undefined, undefined]);
    const [last] = messages(1);
    await steps.take('write a dead letter', [last!], wrong, 'waits to the end');
    expect(last?.refusal?.message).toContain('NOPERM');
  });
});
