import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** From `dist/<format>/cli/main.js`. */
const UP = '../../../package.json';

/**
 * The version of the package that `script` is in. It is found by the path of the program, which both module formats know; npm
 * starts it through a link.
 */
export function packageVersion(script: string): string {
  try {
    const path = join(dirname(realpathSync(script)), UP);
    const { version }: { version?: unknown } = Object(JSON.parse(readFileSync(path, 'utf8')));
    return String(version);
  } catch {
    return 'unknown';
  }
}
