import { cp, mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { transformFile } from '@swc/core';

/** The package as it is built, with programs that import it by its name. */
export interface CompiledPackage {
  /** Where its `package.json` is. */
  readonly root: string;
  /** Path of a compiled program, given that of its source: `sample/01-orders/src/main.ts`. */
  program(source: string): string;
  remove(): Promise<void>;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Compiles `lib/` and folders with programs into a directory of their own, for tests that run one as a process. It takes
 * a second and no build beforehand, and can go on beside a build. Types are checked by `npm run check`, not here.
 *
 * @param folders Folders with programs, from the root of the repository.
 */
export async function compiledPackage(...folders: readonly string[]): Promise<CompiledPackage> {
  const target = await realpath(await mkdtemp(join(tmpdir(), 'nestjs-redis-streams-compiled-')));
  await cp(join(ROOT, 'package.json'), join(target, 'package.json'));
  await symlink(join(ROOT, 'node_modules'), join(target, 'node_modules'));
  await compileFolder(join(ROOT, 'lib'), join(target, 'dist/esm'));
  for (const folder of folders) {
    await compileFolder(join(ROOT, folder), join(target, 'programs', folder));
  }
  return {
    root: target,
    program: (source) => join(target, 'programs', source.replace(/\.ts$/, '.js')),
    remove: () => rm(target, { recursive: true, force: true }),
  };
}

async function compileFolder(from: string, to: string): Promise<void> {
  const files = await readdir(from, { recursive: true });
  await Promise.all(
    files
      .filter((file) => file.endsWith('.ts'))
      .map(async (file) => {
        const path = join(to, file.replace(/\.ts$/, '.js'));
        const { code } = await transformFile(join(from, file), SWC_OPTIONS);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, code);
      }),
  );
}

const SWC_OPTIONS = {
  swcrc: false,
  module: { type: 'es6' },
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
  },
} as const;
