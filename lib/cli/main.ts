#!/usr/bin/env node
import { run } from './run.js';

void run(process.argv).then((code) => {
  // Not process.exit(): what was written to a pipe may still be on its way.
  process.exitCode = code;
});
