/**
 * Node 20 cannot read this file by itself; newer versions can, and use the loader only if that fails.
 * @jest-config-loader esbuild-register
 */
import type { Config } from 'jest';

const config: Config = {
  testEnvironment: '<rootDir>/test/support/nothing-left.environment.mjs',
  globalSetup: '<rootDir>/test/support/compiled-programs.setup.mjs',
  globalTeardown: '<rootDir>/test/support/compiled-programs.teardown.mjs',
  testSequencer: '<rootDir>/test/support/long-first.sequencer.mjs',
  testMatch: ['<rootDir>/test/**/*.spec.ts'],
  // Takes long and prints its progress: `npm run test:chaos` runs it.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/chaos/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/test/pack/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^nestjs-redis-streams$': '<rootDir>/lib/index.ts',
    '^nestjs-redis-streams/testing$': '<rootDir>/lib/testing/index.ts',
    '^nestjs-redis-streams/(.*)$': '<rootDir>/lib/telemetry/$1/index.ts',
    // .js first: some packages also ship their TypeScript sources.
    '^(\\.{1,2}/.*)\\.js$': ['$1.js', '$1.ts'],
  },
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
      },
    ],
  },
  // Most tests wait most of the time, so two cores can serve more than two workers.
  maxWorkers: 6,
  // Each file leaves some of its modules in the worker's memory.
  workerIdleMemoryLimit: '1GB',
  // On a busy machine ending a process takes longer than the default.
  workerGracefulExitTimeout: 30_000,
  // For tests that hang. A busy machine may be slow.
  testTimeout: 240_000,
};

export default config;
