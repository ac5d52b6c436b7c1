/**
 * Checks and publishes the version in package.json, if npm does not have it yet, and tags it.
 *
 * npm run release                what the release workflow runs
 * npm run release -- --dry-run   does everything but the publishing
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

import { notesOf } from './changelog.mjs';

const isRehearsal = process.argv.includes('--dry-run');
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const run = (command, ...args) => execFileSync(command, args, { stdio: 'inherit' });
const git = (...args) => execFileSync('git', args, { encoding: 'utf8' }).trim();

const reasons = [];
if (git('status', '--porcelain') !== '') reasons.push('the work tree has changes: commit them');
const changesets = readdirSync('.changeset').filter((name) => /^(?!README).*\.md$/.test(name));
if (changesets.length > 0) {
  reasons.push(`${changesets.length} changesets have no version: npm run release:version`);
}
if (notesOf(readFileSync('CHANGELOG.md', 'utf8'), version) === undefined) {
  reasons.push(`CHANGELOG.md has no section for ${version}: npm run release:version writes it`);
}
for (const reason of reasons) console.log(`${version} cannot be released: ${reason}`);

if (isRehearsal) {
  run('npm', 'run', 'check');
  run('npm', 'publish', '--dry-run', '--ignore-scripts', '--provenance=false');
  console.log(reasons.length === 0 ? `${version} can be released` : 'Nothing was published');
} else if (reasons.length > 0) {
  // The workflow runs this for each push to main, also before the first release.
  process.exitCode = process.env['CI'] === undefined ? 1 : 0;
} else {
  run('npm', 'run', 'check');
  run(process.execPath, 'node_modules/@changesets/cli/bin.js', 'publish');
}
