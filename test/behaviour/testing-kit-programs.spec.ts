import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { beforeAll, describe, expect, it } from '@jest/globals';

import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { redisForTests } from '../support/redis-for-tests.js';

const SAMPLE = 'sample/03-retries-and-dead-letters';
const run = promisify(execFile);
let compiled: CompiledPackage;

beforeAll(async () => {
  compiled = await compiledPackage(SAMPLE);
});

/** Makes Node refuse to load anything of Nest. */
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
  /** Runs Node, and returns its output, whatever its exit code. */
  const node = async (args: readonly string[]): Promise<string> => {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const options = { cwd: compiled.root, env: { ...env, REDIS_URL: redis.url } };
    const output = await run(process.execPath, args, options).catch((failure: unknown) => failure);
    const { stdout, stderr } = output as { stdout: string; stderr: string };
    return `${stdout}${stderr}`;
  };

  it("works with node:test, as the sample's test shows", async () => {
    const file = compiled.program(`${SAMPLE}/test/payments.test.ts`);
    const output = await node(['--test', '--test-reporter=tap', file]);
    expect(output).toMatch(/^# pass 3$/m);
    expect(output).toMatch(/^# fail 0$/m);
  });

  it('starts a Redis without Nest installed', async () => {
    const output = await node([
      '--import',
      WITHOUT_NEST,
      '--input-type=module',
      '--eval',
      `import { startRedis, RedisStreamsTesting } from 'nestjs-redis-streams/testing';
      const redis = await startRedis();
      const error = await RedisStreamsTesting.create({}).catch((error) => error.message);
      console.log(redis.source, error);`,
    ]);
    expect(output).toMatch(/^url @nestjs\/\S+ is loaded$/m);
  });
});
