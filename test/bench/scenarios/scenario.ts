import type { BenchSize } from '../bench-size.js';
import type { ScenarioResult } from '../report/figure.js';

/** The tools that a scenario runs with. */
export interface ScenarioParts {
  readonly size: BenchSize;
  readonly onProgress: (share: number) => void;
}

/** Something that is measured. */
export interface Scenario {
  /** Its name in `--only`. */
  readonly key: string;
  /** About how long all of it takes, on two idle cores. */
  readonly seconds: number;
  /** How long it takes in its quick form. */
  readonly quickSeconds: number;
  readonly run: (parts: ScenarioParts) => Promise<ScenarioResult>;
}
