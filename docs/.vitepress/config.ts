import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { defineConfig } from 'vitepress';

const REPOSITORY = 'https://github.com/nestjs-redis-streams/nestjs-redis-streams';

const MARKDOWN =
  'https://raw.githubusercontent.com/nestjs-redis-streams/nestjs-redis-streams/main/docs';

/** As on GitHub, so that a link works in both places. */
const slugify = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');

const page = (text: string, link: string): { text: string; link: string } => ({ text, link });

const sidebar = [
  {
    text: 'Start',
    items: [
      page('Start in five minutes', '/start'),
      page('Samples', '/samples'),
      page('Compared with others', '/comparison'),
    ],
  },
  {
    text: 'Concepts',
    items: [
      page('How it works', '/concepts/how-it-works'),
      page('What is promised', '/concepts/promises'),
      page('The guarantees in detail', '/guarantees'),
    ],
  },
  {
    text: 'Guides',
    items: [
      page('How an app is wired', '/guides/wiring'),
      page('Names and wildcards', '/guides/names-and-wildcards'),
      page('Publish a message', '/guides/publishing'),
      page('When a handler fails', '/guides/failures'),
      page('Typed contracts', '/guides/contracts'),
      page('Schemas', '/guides/schemas'),
      page('Publish many at once', '/guides/batches'),
      page('Order by key', '/partitions'),
      page('Delayed messages', '/guides/delayed-messages'),
      page('Request and reply', '/guides/requests'),
      page('Dead letters', '/guides/dead-letters'),
      page('Read without handlers', '/guides/pulling'),
      page('Several Redis servers', '/guides/several-servers'),
      page('Share streams with other programs', '/interop'),
      page('Test your app', '/testing'),
    ],
  },
  {
    text: 'Operations',
    items: [
      page('Before production', '/production'),
      page('Events, metrics, traces, health', '/operations'),
      page('The command line', '/command-line'),
      page('Connecting', '/connecting'),
      page('Security', '/security'),
      page('Scaling', '/scaling'),
      page('Performance', '/performance'),
    ],
  },
  {
    text: 'Reference',
    items: [
      page('Options', '/reference/options'),
      page('Errors', '/reference/errors'),
      page('What is in Redis', '/reference/keys'),
      page('Versions and stability', '/stability'),
    ],
  },
  { text: 'Moving here', items: [page('From other transports', '/moving/')] },
  {
    text: 'Help',
    items: [page('Questions', '/faq'), page('Troubleshooting', '/troubleshooting')],
  },
  {
    text: 'Contributors',
    items: [
      page('Architecture', '/architecture'),
      page('Decisions', '/decisions/'),
      page('Language', '/language'),
    ],
  },
];

/** For programs that read the pages: https://llmstxt.org */
const listOfPages = (): string =>
  sidebar
    .flatMap(({ text, items }) => [
      `## ${text}\n`,
      ...items.map(
        ({ text: title, link }) => `- [${title}](${MARKDOWN}${link.replace(/\/$/, '/index')}.md)`,
      ),
      '',
    ])
    .join('\n');

export default defineConfig({
  title: 'nestjs-redis-streams',
  description: 'A NestJS microservice transport over Redis Streams',
  lang: 'en',
  base: '/nestjs-redis-streams/',
  cleanUrls: true,
  srcExclude: ['api/**'],
  markdown: { anchor: { slugify }, toc: { slugify } },
  buildEnd: ({ outDir, site }) =>
    writeFile(
      join(outDir, 'llms.txt'),
      `# ${site.title}\n\n> ${site.description}\n\n${listOfPages()}`,
    ),
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      page('Start', '/start'),
      page('Guides', '/guides/wiring'),
      page('Operations', '/operations'),
      page('Reference', '/reference/options'),
    ],
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    sidebar,
    footer: { message: 'MIT licence' },
  },
});
