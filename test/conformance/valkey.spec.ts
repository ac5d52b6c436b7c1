import { describe } from '@jest/globals';

import { executablePath } from '../../lib/testing/process/executable-path.js';
import { conformanceSuite } from './conformance-suite.js';

const binary = process.env['VALKEY_SERVER'] ?? (await executablePath('valkey-server'));
const NONE = 'skipped, as no valkey-server is on the PATH and VALKEY_SERVER names none';

(binary === undefined ? describe.skip : describe)(binary ?? NONE, () => {
  conformanceSuite({ name: 'on Valkey', ...(binary === undefined ? {} : { binary }) });
});
