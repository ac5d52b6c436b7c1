import type { Scenario } from './scenario.js';

/** Those that `only` names, or all of them if it names none. */
export function chosenScenarios(
  known: readonly Scenario[],
  only: readonly string[],
): readonly Scenario[] {
  const keys = known.map(({ key }) => key);
  const unknown = only.filter((key) => !keys.includes(key));
  if (unknown.length > 0) {
    throw new Error(`Unknown: ${unknown.join(', ')}; there are ${keys.join(', ')}`);
  }
  return only.length === 0 ? known : known.filter(({ key }) => only.includes(key));
}
