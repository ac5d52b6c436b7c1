/** The exit codes of `nest-streams`. */
export const EXIT = {
  done: 0,
  failed: 1,
  wrongUsage: 2,
  /** `doctor` found something. */
  found: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with a message for its user. */
export class CliError extends Error {
  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.failed,
  ) {
    super(message);
  }
}

/** What was typed makes no sense. */
export class UsageError extends CliError {
  constructor(message: string) {
    super(message, EXIT.wrongUsage);
  }
}
