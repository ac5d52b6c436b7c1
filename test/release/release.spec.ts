import { execFileSync, spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..', '..');
const COPIED = [
  '.changeset',
  'CHANGELOG.md',
  'package.json',
  'package-lock.json',
  'release',
  'lib/redis/server/package-version.ts',
];

describe('a release', () => {
  let copy = '';
  const text = (name: string): Promise<string> => readFile(join(copy, name), 'utf8');
  const git = (...args: string[]): string => {
    const who = ['-c', 'user.name=test', '-c', 'user.email=test@example.com'];
    return execFileSync('git', [...who, ...args], { cwd: copy, encoding: 'utf8' });
  };
  const node = (...args: string[]): { status: number | null; output: string } => {
    const env = { ...process.env, CI: undefined };
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: copy,
      env,
      encoding: 'utf8',
    });
    return { status, output: stdout + stderr };
  };

  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), 'release-'));
    for (const name of COPIED) {
      await cp(join(ROOT, name), join(copy, name), { recursive: true });
    }
    await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    await writeFile(join(copy, '.gitignore'), 'node_modules\n');
    const changelog = '# Changelog\n\n## [Unreleased]\n\n### Fixed\n\n- A thing.\n';
    await writeFile(join(copy, 'CHANGELOG.md'), changelog);
    const manifest = JSON.parse(await text('package.json')) as object;
    await writeFile(
      join(copy, 'package.json'),
      `${JSON.stringify({ ...manifest, version: '1.2.3' }, undefined, 2)}\n`,
    );
    git('init', '-q', '-b', 'main');
    git('add', '-A');
    git('commit', '-qm', 'Begin');
  });
  afterAll(() => rm(copy, { recursive: true, force: true }));

  it('is refused while the changelog has no section for the version', () => {
    const { status, output } = node('release/publish.mjs');
    expect(output).toContain('CHANGELOG.md has no section for 1.2.3');
    expect(status).toBe(1);
  });

  it('raises the version everywhere, and dates what was unreleased', async () => {
    await writeFile(
      join(copy, '.changeset', 'a-thing.md'),
      "---\n'nestjs-redis-streams': minor\n---\n\nA thing.\n",
    );
    git('add', '-A');
    git('commit', '-qm', 'A thing');

    expect(node('release/version.mjs')).toMatchObject({ status: 0 });

    const version = '1.3.0';
    expect(JSON.parse(await text('package.json'))).toMatchObject({ version });
    expect(JSON.parse(await text('package-lock.json'))).toMatchObject({
      version,
      packages: { '': { version } },
    });
    expect(await text('lib/redis/server/package-version.ts')).toContain(`'${version}'`);
    expect(await text('CHANGELOG.md')).toMatch(
      /## \[Unreleased\]\n\n## 1\.3\.0 - \d{4}-\d\d-\d\d\n\n### Fixed\n\n- A thing\.\n$/,
    );
    expect(node('release/notes.mjs').output).toBe('### Fixed\n\n- A thing.\n');
    expect(git('status', '--porcelain')).toContain('D .changeset/a-thing.md');
  });

  it('has nothing to say twice: without new lines there is no next version', () => {
    const { status, output } = node('release/version.mjs');
    expect(output).toContain('CHANGELOG.md has nothing under "## [Unreleased]"');
    expect(status).toBe(1);
  });
});
