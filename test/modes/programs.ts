import { symlink } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll } from '@jest/globals';

import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { DeathRow } from './death-row.js';
import { Overviews } from './overviews.js';

/** What cells run in processes of their own. */
export interface Programs {
  readonly deathRow: DeathRow;
  readonly overviews: Overviews;
}

/** The programs of a spec file, compiled before its cells begin. */
export function programsForTests(): () => Programs {
  let compiled: CompiledPackage | undefined;
  let programs: Programs | undefined;
  beforeAll(async () => {
    compiled = await compiledPackage('test/modes', 'test/support');
    // The modes import the package by its path, as all tests do. All spec files of a run share the directory.
    await symlink(join(compiled.root, 'dist/esm'), join(compiled.root, 'programs/lib')).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      },
    );
    programs = { deathRow: new DeathRow(compiled), overviews: new Overviews() };
  }, 60_000);
  afterAll(async () => {
    await programs?.deathRow.end();
    await programs?.overviews.end();
  });
  return () => {
    if (programs === undefined) throw new Error('The programs are there in tests only');
    return programs;
  };
}
