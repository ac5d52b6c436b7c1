import ts from 'typescript';

/** A block of TypeScript in a document. */
export interface TypeScriptBlock {
  /** The document, and the line on which the block begins. */
  readonly title: string;
  readonly code: string;
}

/** The blocks of a document that say that they are TypeScript. */
export function blocksOf(document: string, markdown: string): TypeScriptBlock[] {
  return [...markdown.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => ({
    title: `${document}:${markdown.slice(0, match.index).split('\n').length}`,
    code: match[1] ?? '',
  }));
}

/**
 * Makes a module of a block. What stands alone in the block is put where it would stand in a program: methods into a class,
 * statements that use `this` into a method, and options into the options of the module.
 */
export function moduleFrom(code: string): string {
  const parts = code.split(/\n\s*\n/).filter((part) => part.trim() !== '');
  const isWhole = isStatements(code) && !usesThisOutside(code) && optionsIn(code).length === 0;
  const whole = isWhole ? [code] : joined(parts);
  return [...whole.map((part, n) => wrapped(part, `Examples${n}`)), 'export {};'].join('\n');
}

/** Parts that are incomplete belong together with what follows. */
function joined(parts: readonly string[]): string[] {
  const whole: string[] = [];
  let open = '';
  for (const part of parts) {
    open = open === '' ? part : `${open}\n\n${part}`;
    if (!isStatements(open) && !isMembers(open) && optionsIn(open).length === 0) continue;
    whole.push(open);
    open = '';
  }
  return open === '' ? whole : [...whole, open];
}

function wrapped(part: string, name: string): string {
  // First, since an option with its value is also a statement with a label, and a member with its type.
  const options = optionsIn(part);
  if (options.length > 0) return options.map(asModuleOptions).join('\n');
  if (isStatements(part)) return usesThisOutside(part) ? inMethod(part) : part;
  if (isMembers(part)) return `class ${name} {\n${MEMBERS}${part}\n}\nvoid ${name};`;
  return part;
}

const MEMBERS = 'declare readonly quotes: { price(item: Item): Promise<Quote> };\n';
const inMethod = (part: string): string => `void async function (this: Caller) {\n${part}\n};`;
const asModuleOptions = (option: string): string =>
  `void ({ group: 'billing', ${option} } satisfies RedisStreamsModuleOptions);`;

/** The options that a part consists of, each as a text of its own: several may be ways to set the same one. */
function optionsIn(part: string): string[] {
  if (isOptions(part)) return [withoutEnd(part)];
  const lines = part.trim().split('\n').map(withoutEnd);
  return lines.every(isOptions) ? lines : [];
}

/** Without a comma and a comment at the end. */
const withoutEnd = (text: string): string => text.trimEnd().replace(/,?(\s+\/\/ [^\n]*)?$/, '');

const isStatements = (text: string): boolean => parses(text);
const isMembers = (text: string): boolean => parses(`class Examples {\n${text}\n}`);
const isOptions = (text: string): boolean =>
  /^\s*\w+: /.test(text) && parses(`void ({\n${text}\n});`);

function parses(text: string): boolean {
  const { diagnostics } = ts.transpileModule(text, {
    reportDiagnostics: true,
    compilerOptions: { module: ts.ModuleKind.ESNext, experimentalDecorators: true },
  });
  return diagnostics?.length === 0;
}

/** Whether statements use the `this` of a method that is not shown. */
function usesThisOutside(text: string): boolean {
  const source = ts.createSourceFile('block.ts', text, ts.ScriptTarget.Latest);
  const uses = (node: ts.Node): boolean => {
    if (node.kind === ts.SyntaxKind.ThisKeyword) return true;
    if (ts.isClassLike(node) || ts.isFunctionDeclaration(node)) return false;
    return ts.forEachChild(node, uses) ?? false;
  };
  return uses(source);
}
