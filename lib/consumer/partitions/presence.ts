/** Who was away, or is new, may see others as gone that were away with it: it waits for them as long as that. */
const PATIENCE_MS = 2_500;

/** Since when a member says without a break that it is there, and so what it may take of what others had. */
export class Presence {
  private brokenAt: number | undefined;
  private lastAt: number | undefined;
  private readonly since = performance.now();

  /** @param lastsMs for how long it counts as there */
  constructor(private readonly lastsMs: number) {}

  /** @param wasThere whether Redis knew of it when it said so */
  note(wasThere: boolean): void {
    const now = performance.now();
    if (this.lastAt !== undefined && (!wasThere || now - this.lastAt > this.lastsMs)) {
      this.brokenAt = now;
    }
    this.lastAt = now;
  }

  /** Whether it sees all that are there. Where it has just begun, it takes what nobody says to have. */
  get seesAll(): boolean {
    return this.brokenAt === undefined || performance.now() - this.brokenAt >= PATIENCE_MS;
  }

  /** Whether what somebody had may be taken, where that has ended without being given up. */
  get isPatient(): boolean {
    return this.seesAll && performance.now() - this.since >= PATIENCE_MS;
  }
}
