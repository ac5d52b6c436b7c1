import { OURS } from './scenarios.js';

/** All scenarios, in the order in which a page shows them. */
export const ALL_KEYS: readonly string[] = OURS.map(({ key }) => key);
