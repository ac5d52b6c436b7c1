/** A figure, and how far its runs lay apart. */
export interface ResultRow {
  readonly label: string;
  readonly middle: string;
  readonly spread: string;
  /** What the figure has to reach. */
  readonly bar?: { readonly text: string; readonly met: boolean };
}

export interface ScenarioResult {
  readonly title: string;
  readonly rows: readonly ResultRow[];
}
