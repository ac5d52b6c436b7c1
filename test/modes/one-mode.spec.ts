import { QUICK_MODES } from './modes.js';
import { modesSuite } from './modes-suite.js';

modesSuite(QUICK_MODES, { title: 'one mode' });
