import { MODES, pair, pairsOf, QUICK_MODES } from './modes.js';
import { IS_FULL, modesSuite } from './modes-suite.js';

const { partitions, atMostOnce, noLedger, wildcard, requests, redriven, blocking } = MODES;
const { manyAtOnce, keyPrefix, oneField, delayed, packedLedger, handlersAtOnce } = MODES;

/** Those in which one mode changes how the other one works. The full form has all pairs, including these. */
const CHOSEN = [
  pair(atMostOnce, noLedger),
  pair(atMostOnce, redriven),
  pair(atMostOnce, requests),
  pair(atMostOnce, packedLedger),
  pair(noLedger, redriven),
  pair(noLedger, blocking),
  pair(noLedger, requests),
  pair(noLedger, manyAtOnce),
  pair(wildcard, noLedger),
  pair(wildcard, atMostOnce),
  pair(wildcard, keyPrefix),
  pair(wildcard, redriven),
  pair(blocking, manyAtOnce),
  pair(blocking, requests),
  pair(oneField, delayed),
  pair(handlersAtOnce, redriven),
  pair(pair(partitions, atMostOnce), noLedger),
  pair(pair(partitions, noLedger), manyAtOnce),
];
const rest = pairsOf(QUICK_MODES.filter((mode) => mode !== partitions));
const names = new Set(CHOSEN.map(({ name }) => name));

modesSuite([...CHOSEN, ...(IS_FULL ? rest.filter(({ name }) => !names.has(name)) : [])], {
  title: 'pairs',
});
