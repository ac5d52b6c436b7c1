import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Creates the directory for what {@link compiledPackage} compiles: all files of a run share it. */
export default async function makeDirectory() {
  process.env['COMPILED_PACKAGE'] = await realpath(
    await mkdtemp(join(tmpdir(), 'nestjs-redis-streams-compiled-')),
  );
}
