import { createInterface } from 'node:readline/promises';
import { visible } from '../../errors/thrown.js';
import { CliError, UsageError } from '../cli.error.js';

/** Shows how far long work has got. */
interface ProgressBar {
  to(done: number, total?: number): void;
  end(): void;
}

const NO_BAR: ProgressBar = { to: () => undefined, end: () => undefined };

/** Shorter work is done before anybody could read a bar. */
const LONG = 100;

/**
 * A progress bar with counts and the time left. It is shown on stderr, and only if that is a terminal and the work is long.
 *
 * @param total how much there is to do, 0 if that is unknown
 */
export async function openBar(title: string, total: number): Promise<ProgressBar> {
  if (!process.stderr.isTTY || (total > 0 && total < LONG)) return NO_BAR;
  const { Presets, SingleBar } = await import('cli-progress');
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: `${title} [{bar}] {value}/{total} | {eta_formatted} left`,
      barsize: 24,
      hideCursor: true,
      // The default of 10 makes the time left jump.
      etaBuffer: 50,
    },
    Presets.shades_classic,
  );
  bar.start(total, 0);
  return {
    to: (done, of) => {
      if (of !== undefined && of !== bar.getTotal()) bar.setTotal(of);
      bar.update(done);
    },
    end: () => bar.stop(),
  };
}

/**
 * Asks before something is destroyed, unless `--yes` was given.
 *
 * @throws UsageError if there is no terminal to ask on; CliError if the answer is no
 */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) {
    throw new UsageError(
      'this destroys something, and there is no terminal to ask on: add --yes if you mean it',
    );
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and Ctrl-D mean no.
  const left = new AbortController();
  prompt.once('SIGINT', () => left.abort()).once('close', () => left.abort());
  const answer = await prompt
    .question(`${visible(question)} [y/N] `, { signal: left.signal })
    .catch(() => '');
  prompt.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('nothing was done');
}

/** Runs `work` until it ends, or until Ctrl-C aborts its signal; then waits for it to return. */
export async function untilInterrupted(
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const left = new AbortController();
  const leave = (): void => left.abort();
  process.once('SIGINT', leave).once('SIGTERM', leave);
  try {
    await work(left.signal);
  } catch (error) {
    // A blocked read fails if it is interrupted.
    if (!left.signal.aborted) throw error;
  } finally {
    process.off('SIGINT', leave).off('SIGTERM', leave);
  }
}
