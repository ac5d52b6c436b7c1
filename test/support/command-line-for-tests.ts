import { afterAll, beforeAll } from '@jest/globals';

import { commandLine, type CommandLine, type CommandResult } from './command-line.js';
import type { RedisForTests } from './redis-for-tests.js';

/** `nest-streams` for a spec file, connected to its Redis by `REDIS_URL`. */
export interface CommandLineForTests extends Omit<CommandLine, 'end'> {
  /** Runs it with `--json`, and returns the parsed result. */
  json(args: readonly string[]): Promise<unknown>;
}

/** Compiles the command before the tests of a file, and kills commands that still run after them. */
export function commandLineForTests(redis: RedisForTests): CommandLineForTests {
  let line: CommandLine | undefined;
  const compiled = (): CommandLine => {
    if (line === undefined) throw new Error('commandLineForTests: use it in tests only');
    return line;
  };
  beforeAll(async () => {
    line = await commandLine(() => ({ REDIS_URL: redis.url }));
  });
  afterAll(() => line?.end());
  const run = (args: readonly string[], input?: string): Promise<CommandResult> =>
    compiled().run(args, input);
  return {
    run,
    json: async (args) => {
      const { code, stdout, stderr } = await run([...args, '--json']);
      if (code !== 0 && code !== 3) throw new Error(`exit ${code}: ${stderr}`);
      return JSON.parse(stdout);
    },
    start: (args) => compiled().start(args),
    startInTerminal: (args, columns) => compiled().startInTerminal(args, columns),
  };
}
