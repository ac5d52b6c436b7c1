import { eachWith, MODES, QUICK_MODES } from './modes.js';
import { modesSuite } from './modes-suite.js';

modesSuite(eachWith(MODES.partitions, QUICK_MODES), { title: 'partitions' });
