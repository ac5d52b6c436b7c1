/** Raises the version by the changesets, wherever it is written. Run by `npm run release:version`; commit what it changes. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

import { released } from './changelog.mjs';

const json = (file) => JSON.parse(readFileSync(file, 'utf8'));
const run = (command, ...args) => execFileSync(command, args, { stdio: 'inherit' });

const before = json('package.json').version;
const changelog = readFileSync('CHANGELOG.md', 'utf8');
const day = new Date().toISOString().slice(0, 10);
// Fails before anything is written.
released(changelog, 'a version that is not known yet', day);

run(process.execPath, 'node_modules/@changesets/cli/bin.js', 'version');
const { version } = json('package.json');
if (version === before) {
  console.error(`There is no changeset, so ${version} stays. npm run changeset writes one.`);
  process.exit(1);
}
writeFileSync('CHANGELOG.md', released(changelog, version, day));
const lock = json('package-lock.json');
lock.version = lock.packages[''].version = version;
writeFileSync('package-lock.json', `${JSON.stringify(lock, undefined, 2)}\n`);
run('npm', 'run', '--silent', 'build:version');
console.log(`${before} becomes ${version}. Commit it; then npm run release publishes it.`);
