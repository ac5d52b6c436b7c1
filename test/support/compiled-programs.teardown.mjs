import { rm } from 'node:fs/promises';

export default async function removeDirectory() {
  await rm(process.env['COMPILED_PACKAGE'], { recursive: true, force: true });
}
