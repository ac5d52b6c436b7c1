import { hostname } from 'node:os';

import { describe, expect, it } from '@jest/globals';

import { consumerName } from '../../../lib/wire/consumer-name.js';

describe('consumerName', () => {
  it('is group, host, process and eight random digits', () => {
    const name = consumerName('billing');
    const host = hostname().replace(/[^A-Za-z0-9._-]/g, '_');
    expect(name.startsWith(`billing.${host}.${process.pid}.`)).toBe(true);
    expect(name).toMatch(/\.[0-9a-f]{8}$/);
  });

  it('is another one each time', () => {
    expect(consumerName('billing')).not.toBe(consumerName('billing'));
  });

  it('holds only characters that any tool can show', () => {
    expect(consumerName('größe {eu} a:b\n')).toMatch(/^gr__e__eu__a_b_\.[A-Za-z0-9._-]+$/);
  });
});
