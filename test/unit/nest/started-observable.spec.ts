import { describe, expect, it } from '@jest/globals';
import { firstValueFrom, lastValueFrom } from 'rxjs';

import { startedObservable } from '../../../lib/nest/started-observable.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A promise to settle by hand, and what was reported as unobserved. */
function underWay() {
  const unobserved: unknown[] = [];
  let resolve: (value: string) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<string>((...settle) => {
    [resolve, reject] = settle;
  });
  const values = startedObservable(promise, (error) => unobserved.push(error));
  return { values, unobserved, resolve, reject };
}

describe('startedObservable', () => {
  it('gives the one value, and ends', async () => {
    const { values, resolve } = underWay();
    const seen: string[] = [];
    const ended = new Promise<void>((done) => {
      values.subscribe({ next: (value) => seen.push(value), complete: done });
    });
    resolve('1-0');
    await ended;
    expect(seen).toEqual(['1-0']);
  });

  it('gives it to whoever comes late, and to each', async () => {
    const { values, resolve } = underWay();
    resolve('1-0');
    await turn();
    expect(await lastValueFrom(values)).toBe('1-0');
    expect(await firstValueFrom(values)).toBe('1-0');
  });

  it('gives the error to its subscriber, and reports nothing', async () => {
    const { values, unobserved, reject } = underWay();
    const given = firstValueFrom(values);
    reject(new Error('refused'));
    await expect(given).rejects.toThrow('refused');
    await turn();
    expect(unobserved).toEqual([]);
  });

  it('reports an error once that nobody waits for, and still gives it late', async () => {
    const { values, unobserved, reject } = underWay();
    const error = new Error('refused');
    reject(error);
    await turn();
    expect(unobserved).toEqual([error]);
    await expect(firstValueFrom(values)).rejects.toBe(error);
    expect(unobserved).toEqual([error]);
  });

  it('reports nothing of a value that nobody waits for', async () => {
    const { unobserved, resolve } = underWay();
    resolve('1-0');
    await turn();
    expect(unobserved).toEqual([]);
  });
});
