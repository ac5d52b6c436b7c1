import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const SITE = 'https://nestjs-redis-streams.github.io/nestjs-redis-streams/';
const REPOSITORY =
  /^https:\/\/(?:github\.com\/nestjs-redis-streams\/nestjs-redis-streams\/(?:blob|tree)|raw\.githubusercontent\.com\/nestjs-redis-streams\/nestjs-redis-streams)\/main\//;

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !/^(api|\.vitepress)\//.test(name))
    .map((name) => `docs/${name}`),
];

const read = (document: string): string => readFileSync(join(root, document), 'utf8');
const withoutCode = (text: string): string =>
  text.replaceAll(/^ *```.*?^ *```/gms, '').replaceAll(/`[^`\n]*`/g, '');

function linksOf(document: string): string[] {
  const found = withoutCode(read(document)).matchAll(/\]\(([^)\s]+)\)/g);
  return [...found].map((match) => match[1] ?? '');
}

/** The anchors of a page, as GitHub and VitePress make them of plain headings. */
function anchorsOf(document: string): string[] {
  return [
    ...read(document)
      .replaceAll(/^```.*?^```/gms, '')
      .matchAll(/^#+ (.*)$/gm),
  ].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replaceAll(/[`*]/g, '')
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );
}

/** The file that a link means, from the root of the repository; undefined if it leads elsewhere. */
function fileOf(document: string, address: string): string | undefined {
  if (address.startsWith(SITE)) {
    const page = address.slice(SITE.length) || 'index';
    return `docs/${page.endsWith('/') ? `${page}index` : page}.md`;
  }
  if (REPOSITORY.test(address)) return address.replace(REPOSITORY, '');
  if (/^[a-z]+:/.test(address)) return undefined;
  if (address === '') return document;
  return relative(root, join(root, dirname(document), address));
}

function problemWith(document: string, link: string): string | undefined {
  const [address = '', anchor] = link.split('#');
  const file = fileOf(document, address);
  if (file === undefined) return undefined;
  if (!existsSync(join(root, file))) return `${link}: ${file} does not exist`;
  if (anchor === undefined || !file.endsWith('.md')) return undefined;
  return anchorsOf(file).includes(anchor) ? undefined : `${link}: no such heading in ${file}`;
}

describe('the links of the documents lead to a file and a heading that exist', () => {
  it.each(documents)('%s', (document) => {
    const problems = linksOf(document).flatMap((link) => problemWith(document, link) ?? []);
    expect(problems).toEqual([]);
  });
});

describe('a page of the site', () => {
  it.each(documents.filter((name) => name.startsWith('docs/')))(
    '%s links to other files of the repository by their address, since the site has only pages',
    (document) => {
      const isPage =
        /^(?:[a-z]+:.*|#.*|(?!(?:\.\.\/)+(?:lib|test|sample)\/).*\.(?:md|svg)(?:#.*)?)$/;
      expect(linksOf(document).filter((link) => !isPage.test(link))).toEqual([]);
    },
  );
});

describe('the README', () => {
  it('has at most 8 kB', () => {
    expect(Buffer.byteLength(read('README.md'))).toBeLessThanOrEqual(8000);
  });

  it('has only absolute links, because npm shows it too', () => {
    expect(linksOf('README.md').filter((link) => !link.startsWith('https:'))).toEqual([]);
  });
});
