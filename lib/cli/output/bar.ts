import { Presets, SingleBar } from 'cli-progress';

/** Says how far long work is. */
export interface Bar {
  to(done: number, total?: number): void;
  end(): void;
}

const SILENT: Bar = { to: () => undefined, end: () => undefined };

/** A bar with counts and time left, on stderr where that is a terminal; else nothing. */
export function openBar(title: string, total: number): Bar {
  if (!process.stderr.isTTY) return SILENT;
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
