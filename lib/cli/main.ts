#!/usr/bin/env node
import { CommanderError } from 'commander';
import { InvalidOptionsError, InvalidStreamNameError } from '../errors/redis-streams.error.js';
import { errorText } from '../redis/server/redis-errors.js';
import { CliError, EXIT, type ExitCode } from './cli.error.js';
import { visible } from './output/text.js';
import { buildProgram } from './program/program.js';

/**
 * Runs one command. The `bin` of package.json is the CommonJS build of this file, which Node loads a third faster.
 *
 * The exit code is set and not forced: output that was written to a pipe may still be on its way.
 */
async function main(): Promise<void> {
  // `nest-streams tail orders | head`: the reader has enough, which is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failed);
  });
  try {
    await buildProgram().parseAsync();
  } catch (error) {
    // Commander has printed its own errors.
    if (!(error instanceof CommanderError)) {
      process.stderr.write(`nest-streams: ${visible(errorText(error))}\n`);
    }
    process.exitCode = exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrongUsage;
  const isUsage = error instanceof InvalidOptionsError || error instanceof InvalidStreamNameError;
  return isUsage ? EXIT.wrongUsage : EXIT.failed;
}

void main();
