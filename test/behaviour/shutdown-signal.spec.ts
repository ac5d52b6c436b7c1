import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { childProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, groupState } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
let compiled: CompiledPackage;
beforeAll(async () => {
  compiled = await compiledPackage('test/support/programs');
});
afterEach(endChildPrograms);

describe('SIGTERM with shutdown hooks', () => {
  it.each([
    ['is imported before this package', 'before', 'no'],
    ['is imported after it', 'after', 'no'],
    ['is imported after it, which is global', 'after', 'yes'],
    ["is the root module's own", 'in root', 'no'],
  ])(
    'lets a running handler finish and commits it, while a provider is alive that %s',
    async (_, DATABASE, IS_GLOBAL) => {
      const stream = freshName('orders');
      const program = childProgram(
        compiled.program('test/support/programs/closing-app.program.ts'),
        { env: { REDIS_URL: redis.url, STREAM: stream, DATABASE, IS_GLOBAL } },
      );
      await waitFor(() => {
        expect(program.output()).toContain('ready');
        return true;
      });
      await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }]);
      await waitFor(() => program.output().includes('started'));
      program.kill('SIGTERM');
      // Nest ends the process with the signal that it received.
      expect(await program.ended).toBe('SIGTERM');
      expect(program.output().trim().split('\n')).toEqual([
        'ready',
        'started',
        'written',
        'database closes',
      ]);
      const ledger = `stream:{${stream}}:group:billing:processed`;
      expect(await redis.client.zcard(ledger)).toBe(1);
      expect((await groupState(redis.client, stream, 'billing'))?.pending).toBeLessThan(2);
      expect(await redis.client.hlen(`stream:{${stream}}:group:billing:leases`)).toBe(0);
    },
  );

  it('while the app waits for Redis to start: it ends with the signal, and prints no trace', async () => {
    const program = childProgram(compiled.program('test/support/programs/closing-app.program.ts'), {
      env: { REDIS_URL: 'redis://127.0.0.1:1', STREAM: freshName('orders') },
    });
    await waitFor(() => program.output().includes('cannot be reached'), { timeoutMs: 30_000 });
    program.kill('SIGINT');
    expect(await program.ended).toBe('SIGINT');
    const lines = program.output().trim().split('\n');
    expect(lines.filter((line) => !line.includes('Redis cannot be reached'))).toEqual([
      'database closes',
    ]);
  });
});

describe('SIGTERM without shutdown hooks', () => {
  it('is said at start, if nothing listens to it some time after the server has started', async () => {
    const path = compiled.program('test/support/programs/no-shutdown-hooks.program.ts');
    const [without, withHooks] = [{}, { HOOKS: 'yes' }].map((env) =>
      childProgram(path, { env: { REDIS_URL: redis.url, ...env } }),
    );
    await waitFor(
      () => [without, withHooks].every((program) => program?.output().includes('over')),
      { timeoutMs: 60_000 },
    );
    const line =
      'Nothing in this process listens to SIGTERM, so that signal ends it at once: running handlers are cut off and run again elsewhere. Call app.enableShutdownHooks() to let them end';
    expect(without?.output().split(line)).toHaveLength(2);
    expect(withHooks?.output()).not.toContain('SIGTERM');
  }, 90_000);
});
