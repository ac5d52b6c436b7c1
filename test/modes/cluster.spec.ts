import { describe } from '@jest/globals';

import { canHaveCluster } from '../support/cluster-for-tests.js';
import { eachWith, MODES, pair, QUICK_MODES } from './modes.js';
import { IS_FULL, modesSuite } from './modes-suite.js';

const { cluster, partitions, atMostOnce, wildcard } = MODES;
const ifItCanBe = (await canHaveCluster()) ? describe : describe.skip;

ifItCanBe('', () => {
  modesSuite(
    IS_FULL
      ? [cluster, ...eachWith(cluster, QUICK_MODES)]
      : [cluster, pair(cluster, partitions), pair(cluster, atMostOnce), pair(cluster, wildcard)],
    { title: 'Cluster' },
  );
});
