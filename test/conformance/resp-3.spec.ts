import { conformanceSuite } from './conformance-suite.js';

conformanceSuite({ name: 'RESP 3', beside: { protocol: 3 } });
