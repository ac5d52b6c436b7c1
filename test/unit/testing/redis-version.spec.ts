import { describe, expect, it } from '@jest/globals';

import { requireUsable } from '../../../lib/testing/redis/process/redis-probe.js';

describe('requireUsable', () => {
  it.each(['6.2.0', '6.2.14', '7.0.15', '7.2.4', '8.0.1', '10.0.0', 'unstable', undefined])(
    'takes %s',
    (version) => {
      expect(() => requireUsable(version)).not.toThrow();
    },
  );

  it.each(['6.0.16', '5.0.7', '2.8.0'])('refuses %s, and says what is needed', (version) => {
    expect(() => requireUsable(version)).toThrow(`version ${version}, and 6.2 or newer`);
  });
});
