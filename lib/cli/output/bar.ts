/** Says how far long work is. */
export interface Bar {
  to(done: number, total?: number): void;
  end(): void;
}

const SILENT: Bar = { to: () => undefined, end: () => undefined };

/** What is less is done before anybody could read a bar. */
const LONG = 100;

/**
 * A bar with counts and time left, on stderr where that is a terminal and the work is long; else nothing.
 *
 * @param total how much there is to do, 0 where nobody knows yet
 */
export async function openBar(title: string, total: number): Promise<Bar> {
  if (!process.stderr.isTTY || (total > 0 && total < LONG)) return SILENT;
  const { Presets, SingleBar } = await import('cli-progress');
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: `${title} [{bar}] {value}/{total} | {eta_formatted} left`,
      barsize: 24,
      hideCursor: true,
      // Short work would flash by.
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
