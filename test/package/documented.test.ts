/** Every name that an entry gives, and every member of it, says what it is. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from '@typescript/typescript6';
import { expect, test } from 'vitest';
import { root } from '../support/consumer.ts';

const DIST = join(root, 'dist/');

/** The declarations of all entries, as they are in the package. */
function entries(): string[] {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, { types?: unknown }>;
  };
  const types = Object.values(exports).map((entry) => entry.types);
  return [...new Set(types)]
    .filter((path) => typeof path === 'string')
    .map((path) => join(root, path));
}

const isSymbol = (symbol: ts.Symbol | undefined): symbol is ts.Symbol => symbol !== undefined;

/** `readonly type: 'lstm'`: its type says it. */
function isTag(node: ts.Declaration): boolean {
  if (!ts.isPropertySignature(node) || node.name.getText() !== 'type' || !node.type) return false;
  const types = ts.isUnionTypeNode(node.type) ? node.type.types : [node.type];
  return types.every((type) => ts.isLiteralTypeNode(type) || ts.isTypeReferenceNode(type));
}

/** Object types that a type is written with. */
function literalsOf(node: ts.Node): ts.TypeLiteralNode[] {
  if (ts.isTypeLiteralNode(node)) return [node];
  const isJoined = ts.isUnionTypeNode(node) || ts.isIntersectionTypeNode(node);
  return isJoined ? node.types.flatMap(literalsOf) : [];
}

/** What a declaration consists of, with what it inherits. */
function membersOf(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol[] {
  return (symbol.declarations ?? []).flatMap((node) => {
    if (ts.isTypeAliasDeclaration(node)) {
      const members = literalsOf(node.type).flatMap((type) => [...type.members]);
      return members.map(({ name }) => name && checker.getSymbolAtLocation(name)).filter(isSymbol);
    }
    if (!ts.isClassDeclaration(node) && !ts.isInterfaceDeclaration(node)) return [];
    const own = [...checker.getDeclaredTypeOfSymbol(symbol).getProperties()];
    return ts.isClassDeclaration(node) ? [...own, ...(symbol.exports?.values() ?? [])] : own;
  });
}

function isPublic(symbol: ts.Symbol): boolean {
  const [node] = symbol.declarations ?? [];
  if (!node || !node.getSourceFile().fileName.startsWith(DIST) || isTag(node)) return false;
  const name = ts.getNameOfDeclaration(node);
  if (!name || ts.isPrivateIdentifier(name) || ts.isComputedPropertyName(name)) return false;
  return !(ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private);
}

/** What examples take for given. */
const GIVEN: Readonly<Record<string, string>> = {
  bar: 'HTMLProgressElement',
  bytes: 'Uint8Array',
  context: 'AudioContext',
  data: "import('./index.js').TrainingData",
  engine: "import('./index.js').Engine",
  json: 'Uint8Array',
  logits: 'Float32Array',
  model: "import('./index.js').Model",
  sequences: "import('./data.js').LabelledSequence[]",
  series: 'Float32Array',
  source: 'AudioNode',
  stream: "import('./index.js').Stream",
  target: 'Float32Array',
  trainer: "import('./index.js').Trainer",
  validation: "import('./index.js').TrainingData",
  writeFile: '(path: string, text: string) => Promise<void>',
};
for (const name of ['block', 'frame', 'outputs', 'x'])
  Object.assign(GIVEN, { [name]: 'Float32Array' });

/** A program of an example: it may use what the entries give, and what `GIVEN` has. */
function programOf(example: string, sources: ReadonlyMap<string, string>): string {
  const words = new Set(example.match(/\b[A-Za-z]\w*\b/g));
  const isMade = (word: string): boolean =>
    new RegExp(
      `\\b(?:const|let)\\s+(?:\\{[^}]*)?\\b${word}\\b[^=;]*=|\\b${word}\\b[^;=]* of `,
    ).test(example);
  const lines = [...words].flatMap((word) => {
    if (sources.has(word)) return [`import { ${word} } from './${sources.get(word)}.js';`];
    return word in GIVEN && !isMade(word) ? [`declare const ${word}: ${GIVEN[word]};`] : [];
  });
  return [...lines, 'export {};', example].join('\n');
}

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
  types: [],
  strict: true,
  noEmit: true,
  skipLibCheck: true,
};

/** What the compiler says to programs by name, as if they stood beside the declarations. */
function compile(programs: ReadonlyMap<string, string>, before: ts.Program): string[] {
  const host = ts.createCompilerHost(OPTIONS);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (path) => programs.has(path) || fileExists(path);
  host.getSourceFile = (path, ...rest) => {
    const text = programs.get(path);
    return text === undefined
      ? getSourceFile(path, ...rest)
      : ts.createSourceFile(path, text, {
          languageVersion: ts.ScriptTarget.ES2022,
          impliedNodeFormat: ts.ModuleKind.ESNext,
        });
  };
  const program = ts.createProgram([...programs.keys()], OPTIONS, host, before);
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    return `${ts.flattenDiagnosticMessageText(messageText, ' ')}\n${file?.text}`;
  });
}

test('every public name and member is documented, and examples compile', () => {
  expect(existsSync(join(DIST, 'index.d.ts')), 'npm run build first').toBe(true);
  const files = entries();
  const program = ts.createProgram(files, OPTIONS);
  const checker = program.getTypeChecker();
  const bare: string[] = [];
  const seen = new Set<ts.Declaration>();
  const examples: string[] = [];
  const sources = new Map<string, string>();
  const visit = (symbol: ts.Symbol, name: string): void => {
    const [node] = symbol.declarations ?? [];
    if (!node || seen.has(node) || !isPublic(symbol)) return;
    seen.add(node);
    if (symbol.getDocumentationComment(checker).length === 0) bare.push(name);
    const tags = symbol.getJsDocTags(checker).filter((tag) => tag.name === 'example');
    examples.push(...tags.map(({ text }) => ts.displayPartsToString(text)));
    for (const member of membersOf(symbol, checker)) visit(member, `${name}.${member.name}`);
  };
  for (const file of files) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(file)!);
    for (const symbol of module ? checker.getExportsOfModule(module) : []) {
      if (!sources.has(symbol.name)) {
        sources.set(symbol.name, file.slice(DIST.length).replace('.d.ts', ''));
      }
      const isAlias = symbol.flags & ts.SymbolFlags.Alias;
      visit(isAlias ? checker.getAliasedSymbol(symbol) : symbol, symbol.name);
    }
  }
  expect(seen.size).toBeGreaterThan(600);
  expect(bare).toEqual([]);
  expect(examples.length).toBeGreaterThan(25);
  const programs = examples.map(
    (text, k) => [`${DIST}example-${k}.mts`, programOf(text, sources)] as const,
  );
  expect(compile(new Map(programs), program)).toEqual([]);
});
