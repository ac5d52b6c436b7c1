/** What `nest-streams` ends with. */
export const EXIT = {
  done: 0,
  failed: 1,
  wrongUsage: 2,
  /** `doctor` found something. */
  found: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
