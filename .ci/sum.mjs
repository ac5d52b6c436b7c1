import { readFileSync } from 'node:fs';

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // The run ended before this suite: none of its tests ran.
    return {};
  }
}

const [packFile, ...jestFiles] = process.argv.slice(2);
const pack = read(packFile);
let passed = pack.passed ?? 0;
let failed = pack.failed ?? 0;
for (const jest of jestFiles.map((file) => read(file))) {
  passed += jest.numPassedTests ?? 0;
  // A file that cannot be loaded has no tests to count, but is still a failure.
  failed += (jest.numFailedTests ?? 0) + (jest.numRuntimeErrorTestSuites ?? 0);
}
console.log(`tests: ${passed} passed, ${failed} failed`);
