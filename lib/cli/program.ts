import { Command, Option } from 'commander';
import { PACKAGE_VERSION } from '../redis/server/package-version.js';
import { collect, parseSpan } from './arguments.js';
import { consumersCommand } from './commands/consumers.command.js';
import { deadLettersCommand } from './commands/dead-letters.command.js';
import { doctorCommand } from './commands/doctor.command.js';
import { groupsCommand } from './commands/groups.command.js';
import { overviewCommand } from './commands/overview.command.js';
import { pendingCommand } from './commands/pending.command.js';
import { publishCommand } from './commands/publish.command.js';
import { ledgerCommand } from './commands/ledger.command.js';
import { resetGroupCommand } from './commands/reset-group.command.js';
import { trimCommand } from './commands/trim.command.js';
import { retriesCommand } from './commands/retries.command.js';
import { tailCommand } from './commands/tail.command.js';
import type { ExitCode } from './exit-codes.js';

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 doctor found something.`;

/**
 * The command line, with all of its commands.
 *
 * @param ended is told with which code the command ended, where that is not 0
 */
export function buildProgram(ended: (code: ExitCode) => void): Command {
  const program = new Command('nest-streams')
    .description(
      'Looks into the Redis Streams of nestjs-redis-streams, and sets right what went wrong.',
    )
    .version(PACKAGE_VERSION, '-V, --version')
    .addOption(
      new Option(
        '--url <url>',
        'where Redis is: redis://user:password@host:6379/0, rediss://… with TLS',
      )
        .env('REDIS_URL')
        .default('redis://127.0.0.1:6379'),
    )
    .option('--cluster', 'it is a node of a Redis Cluster; the others are found through it')
    .option(
      '--sentinel <host:port>',
      'a sentinel that says where Redis is; several times for several. User, password, database and TLS are those of the URL',
      collect,
    )
    .option('--master-name <name>', 'what the sentinels call the primary')
    .addOption(
      new Option('--sentinel-user <user>', 'the user of the sentinels').env(
        'REDIS_SENTINEL_USERNAME',
      ),
    )
    .addOption(
      new Option('--sentinel-password <password>', 'the password of the sentinels').env(
        'REDIS_SENTINEL_PASSWORD',
      ),
    )
    .option('--sentinel-tls', 'speak TLS with the sentinels too, with the same certificates')
    .option('--tls', 'speak TLS also where the URL says redis://')
    .option('--tls-ca <file>', 'who signed the certificate of the server (PEM)')
    .option('--tls-cert <file>', 'our certificate (PEM)')
    .option('--tls-key <file>', 'the key of our certificate (PEM)')
    .option(
      '--tls-servername <name>',
      'the name in the certificate, where it is not that of the URL',
    )
    .option('--insecure', 'TLS with any certificate: for trying out')
    .option('--prefix <prefix>', "the services' keyPrefix", '')
    .option(
      '--codec <codec>',
      'how messages are written: json, watermill, natricine, field:<name>',
      'json',
    )
    .addOption(
      new Option('--payload <form>', 'for the other codecs: what the payload is').choices([
        'json',
        'text',
        'bytes',
      ]),
    )
    .option('--timeout <span>', 'how long to wait for Redis', parseSpan, 10_000)
    .option('--json', 'the answer as JSON, for programs')
    .option('-y, --yes', 'do not ask before something is destroyed')
    .addHelpText('after', EXIT_CODES)
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help says more)')
    .exitOverride();
  for (const add of [
    overviewCommand,
    groupsCommand,
    pendingCommand,
    consumersCommand,
    tailCommand,
    publishCommand,
    deadLettersCommand,
    retriesCommand,
    trimCommand,
    resetGroupCommand,
    ledgerCommand,
  ]) {
    add(program);
  }
  doctorCommand(program, ended);
  return program;
}
