import { describe, expect, it } from '@jest/globals';
import { readdir, readFile } from 'node:fs/promises';
import {
  NEEDED_COMMANDS,
  parseHello,
  parseInfo,
  parseMissing,
  parseRole,
  type ServerFacts,
  verdictOn,
} from '../../../lib/redis/server/server-facts.js';

const GOOD: ServerFacts = {
  product: 'Redis',
  version: '7.0.15',
  role: 'primary',
  maxmemoryPolicy: 'noeviction',
  missingCommands: [],
};

describe('INFO', () => {
  it('of Redis', () => {
    const reply =
      '# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n# Memory\r\n' +
      'maxmemory_policy:allkeys-lru\r\n# Replication\r\nrole:master\r\n';
    expect(parseInfo(reply)).toEqual({
      product: 'Redis',
      version: '7.0.15',
      role: 'primary',
      maxmemoryPolicy: 'allkeys-lru',
    });
  });

  it('of Valkey, which also reports a version of Redis: its own is used', () => {
    const reply =
      '# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\nrole:slave\r\n';
    expect(parseInfo(reply)).toMatchObject({
      product: 'Valkey',
      version: '9.1.2',
      role: 'replica',
    });
  });

  it.each([undefined, null, '', 'nothing of use', 7])('%p tells nothing', (reply) => {
    expect(parseInfo(reply)).toEqual({ product: 'Redis' });
  });
});

describe('HELLO', () => {
  it.each([
    [
      'a list',
      ['server', 'redis', 'version', '6.2.1', 'proto', 2, 'role', 'master', 'modules', []],
    ],
    ['an object', { server: 'redis', version: '6.2.1', proto: 3, role: 'master', modules: [] }],
  ])('as %s', (_, reply) => {
    expect(parseHello(reply)).toEqual({ product: 'Redis', version: '6.2.1', role: 'primary' });
  });

  it('of Valkey, as a replica', () => {
    expect(parseHello(['server', 'valkey', 'version', '8.0.0', 'role', 'replica'])).toEqual({
      product: 'Valkey',
      version: '8.0.0',
      role: 'replica',
    });
  });

  it('tells nothing if it was refused', () => {
    expect(parseHello(undefined)).toEqual({ product: 'Redis' });
  });
});

describe('ROLE and COMMAND INFO', () => {
  it('a role is the first item of its list; a sentinel has neither role', () => {
    expect(parseRole(['master', 3129659, []])).toBe('primary');
    expect(parseRole(['slave', '127.0.0.1', 9000, 'connected', 3167038])).toBe('replica');
    expect(parseRole(['sentinel', []])).toBeUndefined();
    expect(parseRole(undefined)).toBeUndefined();
  });

  it('a command without a row is missing', () => {
    const row = ['xadd', -5, ['write'], 1, 1, 1];
    expect(parseMissing([row, null, []], ['XADD', 'ZMSCORE', 'XCLAIM'])).toEqual([
      'ZMSCORE',
      'XCLAIM',
    ]);
    expect(parseMissing([row], ['XADD'])).toEqual([]);
    expect(parseMissing(undefined, ['XADD'])).toBeUndefined();
    expect(parseMissing([], ['XADD'])).toBeUndefined();
  });

  it('every command in a script is checked', async () => {
    const scripts = new URL('../../../lib/redis/scripts/', import.meta.url);
    const used = new Set<string>();
    const files = await readdir(scripts, { recursive: true });
    for (const file of files.filter((name) => name.endsWith('.ts'))) {
      const source = await readFile(new URL(file, scripts), 'utf8');
      for (const [, command = ''] of source.matchAll(/redis\.p?call\(\s*'([A-Z]+)'/g)) {
        used.add(command);
      }
    }
    expect(used.size).toBeGreaterThan(20);
    expect([...used].filter((command) => !NEEDED_COMMANDS.includes(command))).toEqual([]);
  });
});

describe('the verdict on a server', () => {
  it('that is fine is its version', () => {
    expect(verdictOn(GOOD)).toEqual({
      unfit: undefined,
      isReplica: false,
      warning: undefined,
      is: 'The server is Redis 7.0.15',
      notKnown: undefined,
    });
  });

  it.each([
    ['Redis', '6.0.16', true],
    ['Redis', '5.0', true],
    ['Redis', '6.2.0', false],
    ['Redis', '10.0.0', false],
    ['Redis', 'unstable', false],
    ['Valkey', '7.1.9', true],
    ['Valkey', '7.2.5', false],
    ['Valkey', '10.0', false],
  ] as const)('%s %s: too old %p', (product, version, isOld) => {
    const { unfit } = verdictOn({ ...GOOD, product, version });
    const least = product === 'Redis' ? '6.2' : '7.2';
    const words = `${product} ${version} is too old: ${product} ${least} or newer is needed`;
    expect(unfit).toBe(isOld ? words : undefined);
  });

  it('that lacks commands names them', () => {
    expect(verdictOn({ ...GOOD, missingCommands: ['ZMSCORE', 'XCLAIM'] }).unfit).toContain(
      'ZMSCORE, XCLAIM',
    );
  });

  it('that may evict names its policy', () => {
    expect(verdictOn({ ...GOOD, maxmemoryPolicy: 'volatile-lru' }).warning).toContain(
      '"volatile-lru"',
    );
  });

  it('that may not be asked lists what is not known', () => {
    const { unfit, warning, isReplica, is, notKnown } = verdictOn({
      product: 'Redis',
      version: undefined,
      role: undefined,
      maxmemoryPolicy: undefined,
      missingCommands: undefined,
    });
    expect([unfit, warning, is]).toEqual([undefined, undefined, undefined]);
    expect(isReplica).toBe(false);
    expect(notKnown).toMatch(/version, role, maxmemory-policy, commands$/);
  });
});
