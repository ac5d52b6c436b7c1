import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { sleep } from './setting.js';

/** A line of a panel: its name and its points. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Time in seconds, and value. */
  readonly points: readonly (readonly [at: number, value: number])[];
}

/** A Prometheus that reads the metrics of some ports. */
export interface Prometheus {
  /** @throws if `expr` is invalid */
  range(expr: string, from: number, to: number): Promise<Series[]>;
  stop(): Promise<void>;
}

const STEP_S = 3;

/** Starts the `prometheus` on the PATH. */
export async function startPrometheus(
  port: number,
  targets: readonly number[],
): Promise<Prometheus> {
  const directory = await mkdtemp(join(tmpdir(), 'nestjs-redis-streams-screens-'));
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [
      {
        job_name: 'shop',
        static_configs: [{ targets: targets.map((each) => `127.0.0.1:${each}`) }],
      },
    ],
  };
  // JSON is YAML too.
  await writeFile(join(directory, 'prometheus.yml'), JSON.stringify(config));
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const url = `http://127.0.0.1:${port}`;
  while (
    !(await fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ))
  )
    await sleep(100);
  return {
    range: async (expr, from, to) => {
      const query = new URLSearchParams({
        query: expr,
        start: String(from),
        end: String(to),
        step: String(STEP_S),
      });
      const answer = (await (await fetch(`${url}/api/v1/query_range?${query}`)).json()) as {
        status: string;
        error?: string;
        data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
      };
      if (answer.status !== 'success') throw new Error(`${expr}: ${answer.error}`);
      return answer.data.result.map(({ metric, values }) => ({
        labels: metric,
        points: values.map(([at, value]) => [at, Number(value)] as const),
      }));
    },
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
