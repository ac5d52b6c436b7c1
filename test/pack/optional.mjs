/** Optional libraries, which must not be installed or loaded unless they are used. */
import { access, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

const PACKAGE = 'nestjs-redis-streams';
/** Types imported with `import type` count too: whoever compiles needs them. */
const IMPORTED = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\(\s*)['"]([^'"]+)['"]/g;

/** The libraries that only some users have. */
export async function optionalLibraries(root) {
  const { peerDependenciesMeta } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  return Object.keys(peerDependenciesMeta).filter((name) => peerDependenciesMeta[name].optional);
}

/**
 * Which of `libraries` are in the output of `npm ls --all --json`, at any depth. What is not installed has no
 * version there.
 */
export function installedOf(tree, libraries) {
  const names = ({ dependencies = {} }) =>
    Object.entries(dependencies).flatMap(([name, its]) =>
      its.version === undefined ? [] : [name].concat(names(its)),
    );
  const all = new Set(names(tree));
  if (!all.has(PACKAGE)) throw new Error(`${PACKAGE} itself is not installed`);
  return libraries.filter((name) => all.has(name));
}

/**
 * Which files that are reachable from the root export name one of `libraries`, as `file: library`.
 *
 * @param suffix `.d.ts` for what its types need, `.js` for what it loads
 */
export async function namedFromRoot(installed, format, suffix, libraries) {
  const folder = join(installed, 'dist', format);
  const open = [join(folder, `index${suffix}`)];
  const seen = new Set(open);
  const found = [];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    const text = await readFile(file, 'utf8');
    for (const [, name] of text.matchAll(IMPORTED)) {
      if (!name.startsWith('.')) {
        const its = libraries.find((one) => name === one || name.startsWith(`${one}/`));
        if (its !== undefined) found.push(`${relative(folder, file)}: ${its}`);
        continue;
      }
      const next = join(dirname(file), name.replace(/\.js$/, suffix));
      if (seen.has(next)) continue;
      await access(next);
      seen.add(next);
      open.push(next);
    }
  }
  if (seen.size < 50) throw new Error(`the root export reaches ${seen.size} files only`);
  return found;
}
