import { createInterface } from 'node:readline/promises';
import { CliError, UsageError } from '../cli.error.js';
import * as text from '../cli.messages.js';
import { visible } from './visible.js';

/**
 * Asks before something is destroyed; `--yes` has answered already.
 *
 * @throws UsageError where nobody can be asked; CliError where the answer is no
 */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) throw new UsageError(text.CANNOT_ASK);
  const asked = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and Ctrl-D are answers, too.
  const left = new AbortController();
  asked.once('SIGINT', () => left.abort()).once('close', () => left.abort());
  const answer = await asked
    .question(`${visible(question)} [y/N] `, { signal: left.signal })
    .catch(() => '');
  asked.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(text.NOTHING_DONE);
}
