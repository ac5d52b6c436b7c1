import { randomBytes } from 'node:crypto';
import { cp, mkdir, readdir, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { transformFile } from '@swc/core';

/** The package as it is built, with programs that import it by its name. */
export interface CompiledPackage {
  /** The directory of its `package.json`. */
  readonly root: string;
  /** Path of a compiled program, given that of its source: `sample/01-orders/src/main.ts`. */
  program(source: string): string;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Compiles `lib/` and folders with programs, for tests that run one as a process. It takes a second, needs no
 * build beforehand, and can run during a build. All spec files of a run share the directory: what one has
 * compiled is available to the next. Types are checked by `npm run check`, not here.
 *
 * @param folders Folders with programs, from the root of the repository.
 */
export async function compiledPackage(...folders: readonly string[]): Promise<CompiledPackage> {
  const target = process.env['COMPILED_PACKAGE'];
  if (target === undefined) throw new Error("jest's globalSetup makes the directory");
  await unlessThere(join(target, 'package.json'), (path) => cp(join(ROOT, 'package.json'), path));
  await unlessThere(join(target, 'node_modules'), (path) =>
    symlink(join(ROOT, 'node_modules'), path),
  );
  await compileFolder(join(ROOT, 'lib'), join(target, 'dist/esm'));
  for (const folder of folders) {
    await compileFolder(join(ROOT, folder), join(target, 'programs', folder));
  }
  return {
    root: target,
    program: (source) => join(target, 'programs', source.replace(/\.ts$/, '.js')),
  };
}

/** Compiles `lib/` as CommonJS beside it, for `nest-streams`. */
export async function compileCommonJs({ root }: CompiledPackage): Promise<void> {
  const to = join(root, 'dist/cjs');
  await unlessThere(join(to, 'package.json'), (path) => writeFile(path, '{"type":"commonjs"}'));
  await compileFolder(join(ROOT, 'lib'), to, 'commonjs');
}

async function compileFolder(
  from: string,
  to: string,
  type: 'es6' | 'commonjs' = 'es6',
): Promise<void> {
  const files = await readdir(from, { recursive: true });
  await Promise.all(
    files
      .filter((file) => file.endsWith('.ts'))
      .map((file) =>
        unlessThere(join(to, file.replace(/\.ts$/, '.js')), async (path) => {
          const { code } = await transformFile(join(from, file), {
            ...SWC_OPTIONS,
            module: { type },
          });
          await writeFile(path, code);
        }),
      ),
  );
}

/** Writes a file that becomes visible to others only once it is complete. Several processes may do so at once. */
async function unlessThere(path: string, write: (path: string) => Promise<void>): Promise<void> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.${randomBytes(4).toString('hex')}`;
  await write(unfinished);
  await rename(unfinished, path);
}

const SWC_OPTIONS = {
  swcrc: false,
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
  },
} as const;
