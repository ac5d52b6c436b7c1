import { conformanceSuite } from './conformance-suite.js';

conformanceSuite({ name: 'with concurrency: 32', options: { concurrency: 32 } });
