import { readFileSync } from 'node:fs';

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // The run ended before it: none of its tests were run.
    return {};
  }
}

const [jestFile, packFile] = process.argv.slice(2);
const jest = read(jestFile);
const pack = read(packFile);

const passed = (jest.numPassedTests ?? 0) + (pack.passed ?? 0);
// A file that cannot be loaded has no tests to count, and is a failure all the same.
const failed =
  (jest.numFailedTests ?? 0) + (jest.numRuntimeErrorTestSuites ?? 0) + (pack.failed ?? 0);
console.log(`tests: ${passed} passed, ${failed} failed`);
