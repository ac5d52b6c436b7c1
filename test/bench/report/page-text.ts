import type { Figure, ScenarioResult } from './figure.js';
import { figureText } from './figure-text.js';
import type { Measured } from './measured.js';
import { settingText } from './setting.js';

/** The bench generates the part between these lines; everything outside is written by hand, and stays. */
const BEGIN = '<!-- bench: generated from here -->';
const END = '<!-- bench: written by hand from here -->';

const SIGN = { met: 'met', missed: '**missed**', '': '' } as const;

/** The page with the bench's part replaced. */
export function withResults(page: string, results: string): string {
  const [before, rest] = parted(page, BEGIN);
  const [, after] = parted(rest, END);
  return `${before}${BEGIN}\n\n${results}\n\n${END}${after}`;
}

function parted(text: string, mark: string): [before: string, after: string] {
  const at = text.indexOf(mark);
  if (at < 0) throw new Error(`The page lacks the line ${mark}`);
  return [text.slice(0, at), text.slice(at + mark.length)];
}

/** All results, as Markdown: first the targets, then each scenario with its runs. */
export function resultsText(
  all: readonly Measured[],
  pictureOf: (key: string) => string | undefined,
): string {
  return [
    settings(all),
    '## Targets',
    '',
    picture('Each figure compared with its target', pictureOf('bars')),
    barsTable(all),
    ...all.flatMap(({ key, result, quick }) => [
      `## ${result.title}`,
      '',
      quick ? '_In its quick form: these figures say nothing about speed._\n' : '',
      picture(result.title, pictureOf(key)),
      table(result),
    ]),
  ].join('\n');
}

function settings(all: readonly Measured[]): string {
  const by = new Map<string, string[]>();
  for (const { key, setting } of all) {
    const text = settingText(setting);
    by.set(text, [...(by.get(text) ?? []), key]);
  }
  if (by.size === 1) return `Measured with ${[...by.keys()].join()}.\n`;
  return [...by].map(([text, keys]) => `- ${keys.join(', ')}: ${text}\n`).join('');
}

const picture = (title: string, path: string | undefined): string =>
  path === undefined ? '' : `![${title}](${path})\n`;

const barsTable = (all: readonly Measured[]): string => `
| scenario | figure | median | target | |
| --- | --- | ---: | ---: | --- |
${all
  .filter(({ quick }) => !quick)
  .flatMap(({ key, result }) =>
    result.figures.filter(({ bar }) => bar !== undefined).map((figure) => barsRow(key, figure)),
  )
  .join('\n')}
`;

function barsRow(key: string, figure: Figure): string {
  const { label, middle, bar, met } = figureText(figure);
  return `| ${key} | ${label} | ${middle} | ${bar} | ${SIGN[met]} |`;
}

const table = ({ figures }: ScenarioResult): string => `
| | median | smallest – largest | target | |
| --- | ---: | ---: | ---: | --- |
${figures
  .map(figureText)
  .map(
    ({ label, middle, spread, bar, met }) =>
      `| ${label} | ${middle} | ${spread} | ${bar} | ${SIGN[met]} |`,
  )
  .join('\n')}
`;
