import type { ScenarioResult } from './figure.js';
import type { Setting } from './setting.js';

/** A scenario's result, with the setting that it depends on. */
export interface Measured {
  readonly key: string;
  readonly quick: boolean;
  readonly setting: Setting;
  readonly result: ScenarioResult;
}
