import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { rightsAnywhere, rightsFor } from '../../../lib/cli/doctor/needed-rights.js';
import { memberKeys, ownerKey, partitionCountKey } from '../../../lib/wire/stream-keys.js';
import { NEEDED_COMMANDS } from '../../../lib/redis/server/server-facts.js';

const calls = [
  ...rightsAnywhere('dev:'),
  ...rightsFor('dev:', '{orders:0}', 'billing'),
  ...rightsFor('dev:', 'orders', 'billing'),
].flatMap((needed) => needed.calls);
const WITH_SUBCOMMANDS = new Set(['CLIENT', 'XGROUP', 'XINFO']);
const tried = new Set(
  calls.map(([command, sub = '']) =>
    (WITH_SUBCOMMANDS.has(command) ? `${command}|${sub}` : command).toLowerCase(),
  ),
);

describe('the rights that doctor tries', () => {
  it('are all that docs/security.md gives to producers and consumers', async () => {
    const page = await readFile(new URL('../../../docs/security.md', import.meta.url), 'utf8');
    const rules = page.match(/^ACL SETUSER (?:producer|consumer) .*$/gm) ?? [];
    expect(rules.length).toBeGreaterThan(4);
    const given = rules.flatMap((rule) => rule.match(/(?<=\+)[a-z|]+/g) ?? []);
    // Without these rights doctor could not have connected.
    const connected = new Set(['ping', 'client|setname']);
    // Without these, new streams are only found later.
    const optional = new Set(['publish', 'subscribe']);
    const known = new Set([...tried, ...connected, ...optional]);
    const forgotten = given.filter((command) => !known.has(command));
    expect([...new Set(forgotten)]).toEqual([]);
  });

  it('are all commands that servers, clients and jobs send', () => {
    const commands = new Set(calls.map(([command]) => command));
    // Only the command line sends the one; the other is for the list of delayed messages, which is optional.
    const own = new Set(['UNLINK', 'HSETNX']);
    expect(NEEDED_COMMANDS.filter((name) => !commands.has(name) && !own.has(name))).toEqual([]);
  });

  it('concern the keys with the prefix', () => {
    const keys = calls.flat().filter((word) => word.includes('orders'));
    expect(keys.filter((key) => !/dev:\{?orders/.test(key))).toEqual([]);
  });

  it('include the owner, the members and the number of partitions, for a partition', () => {
    const ofPartition = rightsFor('dev:', '{orders:3}', 'billing').flatMap(
      (needed) => needed.calls,
    );
    const { members, versions, holdings } = memberKeys('dev:', 'orders', 'billing');
    const owner = ownerKey('dev:', 'orders', 3, 'billing');
    expect(ofPartition).toEqual(
      expect.arrayContaining([
        ['HMGET', owner, 'a'],
        ['HSET', owner, 'a', 'b'],
        ['ZADD', members, '1', 'a'],
        ['HSET', versions, 'a', 'b'],
        ['HSET', holdings, 'a', 'b'],
        ['SET', partitionCountKey('dev:', 'orders'), '1'],
      ]),
    );
  });
});
