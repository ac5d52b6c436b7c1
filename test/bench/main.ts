import { benchArguments, USAGE } from './bench-arguments.js';
import { FULL, QUICK } from './bench-size.js';
import { isMet } from './report/figure.js';
import type { Measured } from './report/measured.js';
import { printScenario } from './report/print.js';
import { Progress } from './report/progress.js';
import { currentSetting, settingText } from './report/setting.js';
import { writePage } from './report/written-page.js';
import { chosenScenarios } from './scenarios/chosen-scenarios.js';
import { PEERS } from './scenarios/peers.scenario.js';
import { OURS } from './scenarios/scenarios.js';
import type { Scenario } from './scenarios/scenario.js';

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const { only, quick, write, peers, list } = benchArguments(process.argv.slice(2));
  const known: readonly Scenario[] = peers ? PEERS : OURS;
  if (list) {
    console.log(`${USAGE}\n\n${known.map(({ key }) => key).join(', ')}`);
    return 0;
  }
  const size = quick ? QUICK : FULL;
  const scenarios = chosenScenarios(known, only);
  const setting = await currentSetting(size.bareLoop);
  console.log(settingText(setting));
  const plan = scenarios.map((scenario) => ({
    key: scenario.key,
    seconds: quick ? scenario.quickSeconds : scenario.seconds,
  }));
  const progress = new Progress(process.stdout, plan);
  const measured: Measured[] = [];
  let missed = 0;
  try {
    for (const [n, scenario] of scenarios.entries()) {
      progress.begin(plan[n]!);
      const onProgress = (share: number): void => progress.at(share);
      const result = await scenario.run({ size, onProgress });
      progress.end();
      printScenario(result, size.enforced);
      missed += result.figures.filter((figure) => isMet(figure) === false).length;
      measured.push({ key: scenario.key, quick, setting, result });
    }
  } finally {
    progress.clear();
  }
  if (write) await writePage(measured);
  if (!size.enforced) return 0;
  if (missed > 0) console.log(`\n${missed} figures miss their target.`);
  return missed > 0 ? 1 : 0;
}
