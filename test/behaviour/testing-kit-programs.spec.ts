import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { redisForTests } from '../support/redis-for-tests.js';

const SAMPLE = 'sample/03-retries-and-dead-letters';
const run = promisify(execFile);
let compiled: CompiledPackage;

beforeAll(async () => {
  compiled = await compiledPackage(SAMPLE);
});
afterAll(() => compiled.remove());

/** Has Node refuse to load anything of Nest. */
const WITHOUT_NEST = `data:text/javascript,${encodeURIComponent(`
import { register } from 'node:module';
register('data:text/javascript,' + encodeURIComponent(\`
export const resolve = (name, context, next) => {
  if (name.startsWith('@nestjs/')) throw new Error(name + ' is loaded');
  return next(name, context);
};\`));
`)}`;

describe('nestjs-redis-streams/testing', () => {
  const redis = redisForTests();
  const node = (args: readonly string[]): Promise<{ stdout: string }> => {
    const { NODE_OPTIONS: _, ...env } = process.env;
    return run(process.execPath, args, {
      cwd: compiled.root,
      env: { ...env, REDIS_URL: redis.url },
    });
  };

  it('works with node:test: the sample is tested so', async () => {
    const file = compiled.program(`${SAMPLE}/test/payments.test.ts`);
    const { stdout } = await node(['--test', '--test-reporter=tap', file]);
    expect(stdout).toMatch(/^# pass 3$/m);
    expect(stdout).toMatch(/^# fail 0$/m);
  });

  it('starts a Redis where Nest is not there', async () => {
    const { stdout } = await node([
      '--import',
      WITHOUT_NEST,
      '--input-type=module',
      '--eval',
      `import { startRedis, RedisStreamsTesting } from 'nestjs-redis-streams/testing';
      const redis = await startRedis();
      const error = await RedisStreamsTesting.create({}).catch((error) => error.message);
      console.log(redis.source, error);`,
    ]);
    expect(stdout).toMatch(/^url @nestjs\/\S+ is loaded$/m);
  });
});
