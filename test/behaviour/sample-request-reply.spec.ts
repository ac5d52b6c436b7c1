import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { childProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { redisForTests } from '../support/redis-for-tests.js';

let compiled: CompiledPackage;

beforeAll(async () => {
  compiled = await compiledPackage('sample/02-request-reply/src');
});
afterEach(endChildPrograms);

describe('sample 02-request-reply', () => {
  const redis = redisForTests();

  it('sends its requests, prints what its README says, and ends', async () => {
    const main = compiled.program('sample/02-request-reply/src/main.ts');
    const program = childProgram(main, { env: { REDIS_URL: redis.url } });
    const code = await program.ended;
    const output = program.output();
    expect({ code, output }).toMatchObject({ code: 0 });
    for (const line of [
      '2 × tea: {"total":10,"currency":"EUR"}',
      '1 × teapot: {"total":29,"currency":"EUR"}',
      'what tea cost: [3,4,5]',
      '1 × unicorn: refused: {"code":"NO_SUCH_ITEM","name":"unicorn"}',
      '1 × tea, with nobody there: nobody answered in time',
      'Closed',
    ]) {
      expect(output).toContain(line);
    }
    expect(output).not.toMatch(/\bERROR\b/);
    expect(await redis.client.keys('stream:replies:*')).toEqual([]);
  });
});
