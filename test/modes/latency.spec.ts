import { eachWith, MODES, pair, QUICK_MODES } from './modes.js';
import { IS_FULL, modesSuite } from './modes-suite.js';

const { defaults, partitions, atMostOnce, noLedger, wildcard, requests, redriven } = MODES;
const { blocking, manyAtOnce, resp3 } = MODES;

/** Those in which most happens between two answers of Redis. */
const CHOSEN = [
  defaults,
  atMostOnce,
  noLedger,
  blocking,
  requests,
  pair(wildcard, noLedger),
  partitions,
  pair(partitions, atMostOnce),
  pair(partitions, noLedger),
  pair(partitions, redriven),
  pair(partitions, requests),
  pair(partitions, manyAtOnce),
  pair(partitions, resp3),
];

modesSuite(IS_FULL ? [...QUICK_MODES, ...eachWith(partitions, QUICK_MODES)] : CHOSEN, {
  title: 'with latency',
  latencyMs: 3,
});
