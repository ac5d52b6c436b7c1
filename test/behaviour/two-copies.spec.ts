import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { childProgram, endChildPrograms } from '../support/child-program.js';
import {
  compileCommonJs,
  compiledPackage,
  type CompiledPackage,
} from '../support/compiled-package.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
let compiled: CompiledPackage;
beforeAll(async () => {
  compiled = await compiledPackage('test/support/programs');
  await compileCommonJs(compiled);
});
afterEach(endChildPrograms);

/** What the program with both builds found out. */
async function factsOf(env: NodeJS.ProcessEnv): Promise<Record<string, unknown>> {
  const program = childProgram(compiled.program('test/support/programs/two-copies.program.ts'), {
    env: { REDIS_URL: redis.url, STREAM: freshName('copies'), ...env },
  });
  const line = await waitFor(() => /^\{.*\}$/m.exec(program.output())?.[0], {
    timeoutMs: 60_000,
  });
  return JSON.parse(line);
}

describe.each([
  ['the ESM build', 'esm'],
  ['the CommonJS build', 'cjs'],
])('an app with two copies of the package, and the module of %s', (_, MODULE_FROM) => {
  it('recognizes what its code takes from the other copy', async () => {
    expect(await factsOf({ MODULE_FROM })).toEqual({
      areTwo: true,
      streams: [
        ['orders', 7],
        ['dead', 1],
        ['retried', 1],
        ['asked', 1],
      ],
      order: { n: 1 },
      messageId: 'first',
      isContext: true,
      reason: 'it is of no use',
      attempts: 2,
      answer: 'answered',
      unknownOption: expect.stringContaining('its record has the option "ttlMs"'),
      request: expect.stringContaining('its FieldCodec writes entries of one field'),
      encoding: { isBase: true, isEncoding: true, isOptions: false },
      options: { isBase: true, isEncoding: false, isOptions: true },
    });
  });

  it('says so if its module is imported without a name from both', async () => {
    expect(await factsOf({ MODULE_FROM, TWICE: 'yes' })).toEqual({
      areTwo: true,
      error: expect.stringContaining(
        'InvalidOptionsError: Option "name": given none, by RedisStreamsModule in AppModule, allowed: one import without a name',
      ),
    });
  });
});
