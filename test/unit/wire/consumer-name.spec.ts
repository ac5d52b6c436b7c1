import { hostname } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { consumerName } from '../../../lib/wire/ids.js';

describe('consumerName', () => {
  it('is group, host, process and eight random digits', () => {
    const name = consumerName('billing');
    const host = hostname().replace(/[^A-Za-z0-9._-]/g, '_');
    expect(name.startsWith(`billing.${host}.${process.pid}.`)).toBe(true);
    expect(name).toMatch(/\.[0-9a-f]{8}$/);
  });

  it('is different each time', () => {
    expect(consumerName('billing')).not.toBe(consumerName('billing'));
  });

  it('contains only characters that every tool can show', () => {
    expect(consumerName('größe {eu} a:b\n')).toMatch(/^gr__e__eu__a_b_\.[A-Za-z0-9._-]+$/);
  });
});
