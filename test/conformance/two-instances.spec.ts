import { conformanceSuite } from './conformance-suite.js';

conformanceSuite({ name: 'with two instances of each consumer', instances: 2 });
