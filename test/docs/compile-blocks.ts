import ts from 'typescript';

import { moduleFrom, type TypeScriptBlock } from './typescript-block.js';

/** Where a name comes from that a block uses and does not import: the first of these that has it. */
const MODULES = [
  'nestjs-redis-streams',
  'nestjs-redis-streams/testing',
  'nestjs-redis-streams/lossless-json',
  'nestjs-redis-streams/prometheus',
  'nestjs-redis-streams/terminus',
  'nestjs-redis-streams/opentelemetry',
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/microservices',
  '@nestjs/terminus',
  'rxjs',
  'ioredis',
  'zod',
  'node:async_hooks',
  '@jest/globals',
];
const GLOSSARY = './glossary.js';
const CANNOT_FIND_NAME = new Set([2304, 2503, 2552, 18_004]);

/** Compiles blocks as one program. @returns the errors of each block, in their order */
export function compileBlocks(root: string, blocks: readonly TypeScriptBlock[]): string[][] {
  const files = blocks.map((block, n) => ({
    path: `${root}/test/docs/block-${n}.ts`,
    code: moduleFrom(block.code),
  }));
  const first = new BlockProgram(root, files);
  const sources = first.namesByModule([GLOSSARY, ...MODULES]);
  const complete = files.map(({ path, code }) => {
    const imports = first.unknownNames(path).map((name) => {
      const from = sources.get(name);
      return from === undefined ? '' : `import { ${name} } from '${from}';\n`;
    });
    return { path, code: imports.join('') + code };
  });
  const program = new BlockProgram(root, complete);
  return complete.map(({ path }) => program.errorsOf(path));
}

interface BlockFile {
  readonly path: string;
  readonly code: string;
}

class BlockProgram {
  private readonly program: ts.Program;

  constructor(root: string, files: readonly BlockFile[]) {
    const probe = `${root}/test/docs/probe.ts`;
    const modules = [GLOSSARY, ...MODULES].map((name, n) => `import * as m${n} from '${name}';`);
    const given = new Map(files.map(({ path, code }) => [path, code]));
    given.set(probe, `${modules.join('\n')}\n`);
    const { options } = ts.parseJsonConfigFileContent(
      ts.readConfigFile(`${root}/tsconfig.json`, ts.sys.readFile).config,
      ts.sys,
      root,
    );
    const loose = {
      ...options,
      isolatedModules: false,
      noUnusedLocals: false,
      noUnusedParameters: false,
    };
    const host = ts.createCompilerHost(loose);
    const { fileExists, readFile } = host;
    host.fileExists = (path) => given.has(path) || fileExists.call(host, path);
    host.readFile = (path) => given.get(path) ?? readFile.call(host, path);
    const roots = [...given.keys(), `${root}/test/docs/not-installed.d.ts`];
    this.program = ts.createProgram(roots, loose, host);
  }

  unknownNames(path: string): string[] {
    const source = this.program.getSourceFile(path);
    const found = this.program
      .getSemanticDiagnostics(source)
      .flatMap(({ code, start, length }) =>
        CANNOT_FIND_NAME.has(code) && start !== undefined
          ? [source?.text.slice(start, start + (length ?? 0)) ?? '']
          : [],
      );
    return [...new Set(found)];
  }

  /** The module that exports a name; the first one, if several do. */
  namesByModule(modules: readonly string[]): Map<string, string> {
    const checker = this.program.getTypeChecker();
    const probe = this.program
      .getSourceFiles()
      .find(({ fileName }) => fileName.endsWith('/probe.ts'));
    const names = new Map<string, string>();
    for (const statement of probe?.statements ?? []) {
      if (!ts.isImportDeclaration(statement)) continue;
      const symbol = checker.getSymbolAtLocation(statement.moduleSpecifier);
      const module = modules.find((name) => statement.moduleSpecifier.getText() === `'${name}'`);
      if (symbol === undefined || module === undefined) continue;
      for (const { name } of checker.getExportsOfModule(symbol)) {
        if (!names.has(name)) names.set(name, module);
      }
    }
    return names;
  }

  errorsOf(path: string): string[] {
    const source = this.program.getSourceFile(path);
    if (source === undefined) return ['it was not compiled'];
    const found = [
      ...this.program.getSyntacticDiagnostics(source),
      ...this.program.getSemanticDiagnostics(source),
    ];
    return found.map(({ messageText, start = 0 }) => {
      const { line } = source.getLineAndCharacterOfPosition(start);
      const text = source.text.split('\n')[line]?.trim();
      return `${ts.flattenDiagnosticMessageText(messageText, '\n')} — in: ${text}`;
    });
  }
}
