import { describe } from '@jest/globals';

import { executablePath } from '../../lib/testing/redis/process/local-redis.js';
import { conformanceSuite } from './conformance-suite.js';

const binary = process.env['VALKEY_SERVER'] ?? (await executablePath('valkey-server'));

const [withValkey, title] =
  binary === undefined
    ? [describe.skip, 'skipped: no valkey-server is on the PATH, and VALKEY_SERVER names none']
    : [describe, 'Valkey'];

withValkey(title, () => {
  conformanceSuite({ name: 'with the defaults', ...(binary === undefined ? {} : { binary }) });
});
