/** Prints what the current version brings, for the page of its release. */
import { readFileSync } from 'node:fs';

import { notesOf } from './changelog.mjs';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const notes = notesOf(readFileSync('CHANGELOG.md', 'utf8'), version);
if (notes === undefined) throw new Error(`CHANGELOG.md has no section for ${version}`);
console.log(notes);
