import type { ScenarioResult } from './figure.js';
import { figureText } from './figure-text.js';

const SIGN = { met: '✓', missed: '✗ missed', '': '' } as const;

/** Prints a table that fits a terminal of 80 columns. */
export function printScenario({ title, figures }: ScenarioResult, enforced: boolean): void {
  console.log(`\n${title}`);
  console.log(line('', 'median', 'min – max', ''));
  for (const figure of figures) {
    const { label, middle, spread, bar, met } = figureText(figure);
    console.log(line(label, middle, spread, enforced ? `${bar} ${SIGN[met]}` : ''));
  }
}

const line = (label: string, middle: string, spread: string, bar: string): string =>
  `  ${label.padEnd(30)}${middle.padStart(10)}${spread.padStart(23)}  ${bar}`.trimEnd();
