import { PEERS } from './peers.scenario.js';
import { OURS } from './scenarios.js';

/** All scenarios, in the order in which a page shows them. */
export const ALL_KEYS: readonly string[] = [...OURS, ...PEERS].map(({ key }) => key);
