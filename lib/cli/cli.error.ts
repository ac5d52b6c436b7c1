import { EXIT, type ExitCode } from './exit-codes.js';

/** Ends the command with a line for its user. */
export class CliError extends Error {
  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.failed,
  ) {
    super(message);
  }
}

/** What was typed cannot be meant. */
export class UsageError extends CliError {
  constructor(message: string) {
    super(message, EXIT.wrongUsage);
  }
}
