import type { WriteStream } from 'node:tty';

/** Says how far the bench is, on a terminal only. */
export interface ProgressBar {
  show(title: string, done: number): void;
  clear(): void;
}

const WIDTH = 30;
const ERASE_LINE = '\r\u001B[2K';

export function openProgressBar(out: WriteStream): ProgressBar {
  if (!out.isTTY) return { show: () => undefined, clear: () => undefined };
  return {
    show: (title, done) => {
      const full = Math.round(done * WIDTH);
      const bar = '█'.repeat(full) + '░'.repeat(WIDTH - full);
      out.write(`${ERASE_LINE}${bar} ${title}`);
    },
    clear: () => void out.write(ERASE_LINE),
  };
}
