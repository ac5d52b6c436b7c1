import { AT_MOST_ONCE } from './configuration.js';
import { conformanceSuite } from './conformance-suite.js';

conformanceSuite({
  name: 'at most once',
  options: { delivery: 'at-most-once' },
  promises: AT_MOST_ONCE,
});
