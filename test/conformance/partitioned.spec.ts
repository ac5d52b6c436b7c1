import { conformanceSuite } from './conformance-suite.js';

conformanceSuite({ name: 'with four partitions', partitions: 4 });
conformanceSuite({
  name: 'with four partitions, two instances of each consumer, concurrency 8',
  partitions: 4,
  instances: 2,
  options: { concurrency: 8 },
});
