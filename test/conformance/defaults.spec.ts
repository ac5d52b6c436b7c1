import { conformanceSuite } from './conformance-suite.js';

conformanceSuite({ name: 'with the defaults' });
