import Sequencer from '@jest/test-sequencer';

/** Folders whose files take the longest, longest first. */
const LONG = ['/test/modes/', '/test/conformance/', '/test/cli/', '/test/counts/'];

const rankOf = ({ path }) => {
  const at = LONG.findIndex((folder) => path.includes(folder));
  return at === -1 ? LONG.length : at;
};

/**
 * Without durations of an earlier run, Jest begins with the largest files. Those of the conformance suite
 * have three lines and take a minute: if they began last, they would run alone at the end, one on each
 * worker.
 */
export default class LongFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    return sorted.every(({ duration }) => duration !== undefined)
      ? sorted
      : sorted.sort((a, b) => rankOf(a) - rankOf(b));
  }
}
