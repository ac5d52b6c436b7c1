/**
 * Compiles what a sample runs: the package and the sample itself, without checking types, which `npm run build` does.
 *
 * node sample/compile.mjs 01-orders
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { transformFile } from '@swc/core';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const [sample = '01-orders'] = process.argv.slice(2);

const OPTIONS = {
  swcrc: false,
  sourceMaps: 'inline',
  module: { type: 'es6' },
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
  },
};

/** Compiles all of a folder into another one. @returns how many files it has */
async function compile(from, to) {
  await rm(join(ROOT, to), { recursive: true, force: true });
  const names = await readdir(join(ROOT, from), { recursive: true });
  const sources = names.filter((name) => name.endsWith('.ts'));
  await Promise.all(
    sources.map(async (name) => {
      const { code } = await transformFile(join(ROOT, from, name), OPTIONS);
      const file = join(ROOT, to, name.replace(/\.ts$/, '.js'));
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, code);
    }),
  );
  return sources.length;
}

const since = performance.now();
process.stdout.write(`Compiling the package and sample/${sample} … `);
const counts = await Promise.all([
  compile('lib', 'dist/esm'),
  compile(`sample/${sample}`, `dist/programs/sample/${sample}`),
]);
const seconds = ((performance.now() - since) / 1_000).toFixed(1);
console.log(`${counts[0] + counts[1]} files in ${seconds} s`);
