import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';

import { ALL_KEYS } from '../scenarios/scenario-order.js';
import { barChart, curveChart, targetChart } from './charts.js';
import type { Measured } from './measured.js';
import { resultsText, withResults } from './page-text.js';

const DOCS = 'docs';
const PAGE = join(DOCS, 'performance.md');
const FOLDER = 'performance';
const RESULTS = join(DOCS, FOLDER, 'results.json');

/** Rows that are about this package; the others are what it is compared with. */
const OURS = /nestjs-redis-streams|emit|once|dedup|full ledger|processes|our/;

/** Puts the measurements into the page, replacing those of the same scenarios. Others stay. */
export async function writePage(measured: readonly Measured[]): Promise<void> {
  const all = merged(await formerResults(), measured);
  await mkdir(join(DOCS, FOLDER), { recursive: true });
  const pictures = picturesOf(all);
  for (const [key, content] of pictures) {
    await writeFile(join(DOCS, FOLDER, `${key}.svg`), content);
  }
  const pictureOf = (key: string): string | undefined =>
    pictures.has(key) ? `${FOLDER}/${key}.svg` : undefined;
  const page = withResults(await readFile(PAGE, 'utf8'), resultsText(all, pictureOf));
  await writeFormatted(PAGE, page);
  await writeFormatted(RESULTS, JSON.stringify(all));
}

async function formerResults(): Promise<readonly Measured[]> {
  try {
    return JSON.parse(await readFile(RESULTS, 'utf8')) as Measured[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function merged(former: readonly Measured[], measured: readonly Measured[]): readonly Measured[] {
  const byKey = new Map([...former, ...measured].map((each) => [each.key, each]));
  return ALL_KEYS.flatMap((key) => byKey.get(key) ?? []);
}

function picturesOf(all: readonly Measured[]): Map<string, string> {
  const bars = all
    .filter(({ quick }) => !quick)
    .flatMap(({ key, result }) =>
      result.figures.map((figure) => [`${key}: ${figure.label}`, figure] as const),
    );
  const pictures = new Map([['bars', targetChart('Figures compared with their targets', bars)]]);
  for (const { key, result } of all) {
    const { title, curve, figures } = result;
    const [first] = figures;
    const alike = figures.filter(({ unit }) => unit === first?.unit);
    if (curve !== undefined) pictures.set(key, curveChart(title, curve));
    else if (alike.length > 1) pictures.set(key, barChart(title, alike, OURS));
  }
  return pictures;
}

/** Formats like `npm run format`: the check covers generated files too. */
async function writeFormatted(path: string, content: string): Promise<void> {
  const config = await resolveConfig(path);
  await writeFile(path, await format(content, { ...config, filepath: path }));
}
