import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from '@jest/globals';
import { transform } from '@swc/core';

import { childProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage } from '../support/compiled-package.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';
import { blocksOf } from './typescript-block.js';

afterEach(endChildPrograms);

describe.each(['README.md', 'docs/start.md'])('the first program of %s', (document) => {
  const redis = redisForTests();

  it('handles the order that it publishes, and only once', async () => {
    const text = await readFile(new URL(`../../${document}`, import.meta.url), 'utf8');
    const compiled = await compiledPackage();
    // The Redis of REDIS_URL is shared with other programs that have a stream of orders.
    const source = blocksOf(document, text)[0]!.code.replaceAll(
      "'orders'",
      `'${freshName('orders')}'`,
    );
    const { code } = await transform(source, {
      swcrc: false,
      jsc: {
        target: 'es2022',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
    });
    const folder = join(compiled.root, 'programs/documents');
    await mkdir(folder, { recursive: true });
    const file = join(folder, `${document.replaceAll(/\W/g, '-')}.js`);
    await writeFile(file, code);

    const program = childProgram(file, { env: { REDIS_URL: redis.url, PORT: '0' } });
    await waitFor(() => /handled tea[^]*published|published[^]*handled tea/.test(program.output()));
    program.kill('SIGTERM');
    await program.ended;
    const [, published] = /published (\S+)/.exec(program.output()) ?? [];
    expect(program.output()).toContain(`handled tea ${published}`);
  });
});
