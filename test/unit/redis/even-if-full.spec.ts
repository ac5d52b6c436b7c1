import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

const SCRIPTS = join('lib', 'redis', 'scripts');
const files = readdirSync(SCRIPTS, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.script.ts'))
  .map((file) => join(SCRIPTS, file));
const nameOf = (file: string): string => basename(file, '.script.ts');

/** What a full Redis refuses: all that may need memory, and in Redis 6.2 each `XGROUP`. It may be in a part that others share. */
const MAY_NEED_MEMORY =
  /redis\.p?call\('(?:HSET|HSETNX|HINCRBY|SADD|SET|XADD|XGROUP|ZADD)'|NOTE_|TAKE_DUE|REMOVE_PACKED/;
const writesEvenIfFull = (lua: string): boolean => /\$\{evenIfFull(?:By)?\(/.test(lua);

/** What a full Redis refuses: publishing, and the import of a ledger, which can be large and is repeated later. */
const ADD_MORE = new Set(['publish', 'delay', 'publish-delayed', 'keep-inbox', 'import-ledger']);
/** They begin with a command that is never refused, for another reason. */
const REMOVE_FIRST = new Set([
  'cancel',
  'ensure-group',
  'forget-messages',
  'leave-requests',
  'note-partition-count',
  'job-right',
]);

describe('scripts on a full Redis', () => {
  const writing = files.filter((file) => MAY_NEED_MEMORY.test(readFileSync(file, 'utf8')));

  it.each(writing.map((file) => [nameOf(file), file] as const))(
    '%s writes even then, unless it adds more',
    (name, file) => {
      const isExcepted = ADD_MORE.has(name) || REMOVE_FIRST.has(name);
      expect(writesEvenIfFull(readFileSync(file, 'utf8'))).toBe(!isExcepted);
    },
  );

  it('each exception exists', () => {
    const names = new Set(writing.map(nameOf));
    expect([...ADD_MORE, ...REMOVE_FIRST].filter((name) => !names.has(name))).toEqual([]);
  });
});
