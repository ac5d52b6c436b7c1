import { conformanceSuite } from './conformance-suite.js';

conformanceSuite({ name: 'RESP 3', connectionOptions: { protocol: 3 } });
