#!/usr/bin/env node
import { Command, CommanderError, Option } from 'commander';
import { visible } from '../errors/thrown.js';
import { InvalidOptionsError, InvalidStreamNameError } from '../errors/redis-streams.error.js';
import { PACKAGE_VERSION } from '../redis/server/package-version.js';
import { errorText } from '../redis/server/redis-errors.js';
import { CliError, EXIT, type ExitCode } from './cli.error.js';
import { collect, parseSpan } from './program/arguments.js';
import { addChangingCommands, addInspectingCommands } from './program/commands.js';

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

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 doctor found something.`;

/** The command line with all of its commands. */
function buildProgram(): Command {
  const program = new Command('nest-streams')
    .description(
      'Inspects the Redis Streams of nestjs-redis-streams, and repairs them if something went wrong.',
    )
    .version(PACKAGE_VERSION, '-V, --version')
    .addOption(
      new Option('--url <url>', 'redis://user:password@host:6379/0, or rediss://… with TLS')
        .env('REDIS_URL')
        .default('redis://127.0.0.1:6379'),
    )
    .option('--cluster', 'the URL is that of a node of a Redis Cluster; it names the others')
    .option(
      '--sentinel <host:port>',
      'a sentinel that knows the primary; may be given several times. User, password, database and TLS are taken from the URL',
      collect,
    )
    .option('--master-name <name>', "the sentinels' name for the primary")
    .addOption(
      new Option('--sentinel-user <user>', 'the user to log in to the sentinels with').env(
        'REDIS_SENTINEL_USERNAME',
      ),
    )
    .addOption(
      new Option('--sentinel-password <password>', 'the password of the sentinels').env(
        'REDIS_SENTINEL_PASSWORD',
      ),
    )
    .option('--sentinel-tls', 'use TLS for the sentinels too, with the same certificates')
    .option('--tls', 'use TLS even if the URL begins with redis://')
    .option('--tls-ca <file>', "the CA that signed the server's certificate (PEM)")
    .option('--tls-cert <file>', 'the client certificate (PEM)')
    .option('--tls-key <file>', 'the key of the client certificate (PEM)')
    .option('--tls-servername <name>', 'the name in the certificate, if it is not the host')
    .option('--insecure', 'accept any certificate: only to try things out')
    .option('--prefix <prefix>', "the services' keyPrefix", '')
    .option(
      '--codec <codec>',
      'the format of the messages: json, watermill, natricine, field:<name>',
      'json',
    )
    .addOption(
      new Option(
        '--payload <form>',
        'the format of the payload, for codecs other than json',
      ).choices(['json', 'text', 'bytes']),
    )
    .option('--timeout <span>', 'how long to wait for Redis', parseSpan, 10_000)
    .option('--json', 'print JSON, for programs')
    .option('-y, --yes', 'do not ask before something is destroyed')
    .addHelpText('after', EXIT_CODES)
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help says more)')
    .exitOverride();
  addInspectingCommands(program);
  addChangingCommands(program);
  return program;
}

void main();
