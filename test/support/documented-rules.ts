import { readFile } from 'node:fs/promises';

const page = (): Promise<string> =>
  readFile(new URL('../../docs/security.md', import.meta.url), 'utf8');

/** A rule of docs/security.md. */
export interface DocumentedRule {
  readonly user: string;
  readonly rules: readonly string[];
}

/** The rules of docs/security.md for users of Redis: its lines that begin with `ACL SETUSER`. */
export async function documentedRules(): Promise<DocumentedRule[]> {
  const lines = (await page()).split('\n').filter((line) => line.startsWith('ACL SETUSER '));
  return lines.map((line) => {
    const [, , user = '', ...rules] = line.split(' ');
    return { user, rules };
  });
}

/** The rights within a sentence of docs/security.md: what stands in its first backquotes. */
export async function documentedRights(sentence: string): Promise<string[]> {
  const text = (await page()).replaceAll(/\s+/g, ' ');
  const [, after = ''] = text.split(sentence);
  const [, rights = ''] = after.split('`');
  if (!rights.includes('+')) throw new Error(`docs/security.md has no rights after: ${sentence}`);
  return rights.split(' ');
}
