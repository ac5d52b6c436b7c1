import type { BenchSize } from '../bench-size.js';
import type { ScenarioResult } from '../report/figure.js';

/** What a scenario is run with. */
export interface ScenarioParts {
  readonly size: BenchSize;
  readonly onProgress: (share: number) => void;
}

/** Something that is measured. */
export interface Scenario {
  /** What `--only` calls it. */
  readonly key: string;
  /** About how long it takes, whole, on two cores that do nothing else. */
  readonly seconds: number;
  /** How long it takes in its quick form. */
  readonly quickSeconds: number;
  readonly run: (parts: ScenarioParts) => Promise<ScenarioResult>;
}
