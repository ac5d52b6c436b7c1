import { CommanderError } from 'commander';
import { InvalidOptionsError, InvalidStreamNameError } from '../errors/options.errors.js';
import { errorText } from '../redis/server/redis-errors.js';
import { CliError } from './cli.error.js';
import * as text from './cli.messages.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { visible } from './output/visible.js';
import { buildProgram } from './program.js';

/** Runs one command to its end, and says how it ended. */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  // `nest-streams tail orders | head`: who reads has enough, and that is no fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failed);
  });
  let code: ExitCode = EXIT.done;
  const program = buildProgram((ended) => (code = ended));
  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    // Commander has said it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrongUsage;
    process.stderr.write(`${text.failed(visible(errorText(error)))}\n`);
    return exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  const isUsage = error instanceof InvalidOptionsError || error instanceof InvalidStreamNameError;
  return isUsage ? EXIT.wrongUsage : EXIT.failed;
}
