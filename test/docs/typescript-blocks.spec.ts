import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from '@jest/globals';

import { compileBlocks } from './compile-blocks.js';
import { blocksOf } from './typescript-block.js';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const documents = [
  'README.md',
  ...readdirSync(`${root}/docs`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !/^(api|decisions|\.vitepress)\//.test(name))
    .map((name) => `docs/${name}`),
];
const blocks = documents.flatMap((name) => blocksOf(name, readFileSync(`${root}/${name}`, 'utf8')));

describe('the TypeScript of the documents compiles', () => {
  const errors = compileBlocks(root, blocks);

  it.each(blocks.map(({ title }, n) => [title, n] as const))('%s', (_, n) => {
    expect(errors[n]).toEqual([]);
  });
});
