/** The parts of CHANGELOG.md, which people write by hand. */
const UNRELEASED = '## [Unreleased]';

/** From one heading of a version to the next one. */
const sections = (text) => text.split(/^(?=## )/m);

const contentOf = (section) => section.slice(section.indexOf('\n')).trim();

/** What a version brings. @returns undefined if the changelog does not have it */
export function notesOf(text, version) {
  const its = sections(text).find((section) => section.startsWith(`## ${version} - `));
  return its === undefined ? undefined : contentOf(its);
}

/**
 * Gives what is unreleased a version and a day, below an empty section for what comes next.
 *
 * @throws if nothing is unreleased, or the version exists
 */
export function released(text, version, day) {
  const unreleased = sections(text).find((section) => section.startsWith(UNRELEASED));
  if (unreleased === undefined) throw new Error(`CHANGELOG.md has no "${UNRELEASED}"`);
  if (contentOf(unreleased) === '') {
    throw new Error(`CHANGELOG.md has nothing under "${UNRELEASED}": write what users can notice`);
  }
  if (notesOf(text, version) !== undefined) {
    throw new Error(`CHANGELOG.md has a section for ${version} already`);
  }
  return text.replace(UNRELEASED, `${UNRELEASED}\n\n## ${version} - ${day}`);
}
