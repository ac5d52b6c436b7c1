import type { ValidationIssue } from '../errors/message.errors.js';
import * as text from './codec.messages.js';

/** A payload can have as many issues as it has parts; a dead letter and a line of the log have room for some. */
const MOST_ISSUES = 10;
const LONGEST = 200;

export const cut = (said: string): string =>
  said.length > LONGEST ? `${said.slice(0, LONGEST)}…` : said;

/**
 * The first issues of a schema's list, and how many there are. Only path and message are taken over: libraries also put the
 * value that they refuse into an issue.
 */
export function boundedIssues(issues: unknown): readonly [ValidationIssue[], number] {
  const all: unknown[] = Array.isArray(issues) ? issues : [];
  const first = all.slice(0, MOST_ISSUES).map((issue) => {
    const { path, message }: { path?: unknown; message?: unknown } = Object(issue);
    return { path: cut(pathText(path)), message: cut(String(message)) };
  });
  return [first, all.length];
}

/** `items[0].id: Expected number; and 3 more` */
export function issuesText(first: readonly ValidationIssue[], count: number): string {
  if (first.length === 0) return text.NO_ISSUE_NAMED;
  const said = first.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  if (count > first.length) said.push(text.moreIssues(count - first.length));
  return said.join('; ');
}

function pathText(path: unknown): string {
  if (!Array.isArray(path)) return '';
  return path.reduce<string>((before, segment: unknown) => {
    const key: unknown =
      typeof segment === 'object' && segment !== null && 'key' in segment ? segment.key : segment;
    if (typeof key === 'number') return `${before}[${key}]`;
    return before === '' ? String(key) : `${before}.${String(key)}`;
  }, '');
}
