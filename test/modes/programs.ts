import { symlink } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll } from '@jest/globals';

import { compiledPackage } from '../support/compiled-package.js';
import { DoomedMembers } from './doomed-members.js';
import { Overviews } from './overviews.js';

/** What cells run in separate processes. */
export interface Programs {
  readonly doomedMembers: DoomedMembers;
  readonly overviews: Overviews;
}

/** The programs of a spec file, compiled before its cells begin. */
export function programsForTests(): () => Programs {
  let programs: Programs | undefined;
  beforeAll(async () => {
    const compiled = await compiledPackage('test/modes', 'test/support');
    // The modes import the package by its path, as all tests do. Another spec file may have created this.
    const lib = join(compiled.root, 'programs/lib');
    await symlink(join(compiled.root, 'dist/esm'), lib).catch(ifNotThere);
    programs = { doomedMembers: new DoomedMembers(compiled), overviews: new Overviews() };
  }, 60_000);
  afterAll(async () => {
    await programs?.doomedMembers.end();
    await programs?.overviews.end();
  });
  return () => {
    if (programs === undefined) throw new Error('The programs are there in tests only');
    return programs;
  };
}

function ifNotThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
