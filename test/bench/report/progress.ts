import type { WriteStream } from 'node:tty';

/** A part of the bench, and how long it takes on a typical machine. */
export interface Planned {
  readonly key: string;
  readonly seconds: number;
}

const WIDTH = 24;
const ERASE_LINE = '\r\u001B[2K';

/**
 * Shows the progress of the bench and the remaining time: the plan, corrected by how long the finished parts
 * took. On a terminal as a bar, else as a line for each part.
 */
export class Progress {
  private donePlanned = 0;
  private readonly startedAt = performance.now();
  private current: Planned | undefined;

  constructor(
    private readonly out: WriteStream,
    private readonly plan: readonly Planned[],
  ) {}

  begin(part: Planned): void {
    this.current = part;
    if (!this.out.isTTY) this.out.write(`${part.key} … about ${this.left(0)} left in all\n`);
    this.at(0);
  }

  /** @param share how much of the current part is done, 0 to 1 */
  at(share: number): void {
    if (!this.out.isTTY) return;
    const full = Math.round(this.share(share) * WIDTH);
    const bar = '█'.repeat(full) + '░'.repeat(WIDTH - full);
    const key = this.current?.key ?? '';
    this.out.write(
      `${ERASE_LINE}${bar} ${key} ${Math.round(share * 100)} %, ${this.left(share)} left`,
    );
  }

  end(): void {
    this.donePlanned += this.current?.seconds ?? 0;
    this.current = undefined;
    this.clear();
  }

  clear(): void {
    if (this.out.isTTY) this.out.write(ERASE_LINE);
  }

  private get planned(): number {
    return this.plan.reduce((sum, { seconds }) => sum + seconds, 0);
  }

  private share(share: number): number {
    return Math.min(1, this.done(share) / this.planned);
  }

  private done(share: number): number {
    return this.donePlanned + share * (this.current?.seconds ?? 0);
  }

  private left(share: number): string {
    const done = this.done(share);
    const took = (performance.now() - this.startedAt) / 1000;
    // The first moments say nothing about the speed.
    const pace = done > 10 ? took / done : 1;
    const seconds = (this.planned - done) * pace;
    return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
  }
}
