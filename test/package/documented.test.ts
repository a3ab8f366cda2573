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

test('every public name and member is documented', () => {
  expect(existsSync(join(DIST, 'index.d.ts')), 'npm run build first').toBe(true);
  const files = entries();
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    lib: ['lib.es2022.d.ts'],
    types: [],
  });
  const checker = program.getTypeChecker();
  const bare: string[] = [];
  const seen = new Set<ts.Declaration>();
  const visit = (symbol: ts.Symbol, name: string): void => {
    const [node] = symbol.declarations ?? [];
    if (!node || seen.has(node) || !isPublic(symbol)) return;
    seen.add(node);
    if (symbol.getDocumentationComment(checker).length === 0) bare.push(name);
    for (const member of membersOf(symbol, checker)) visit(member, `${name}.${member.name}`);
  };
  for (const file of files) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(file)!);
    for (const symbol of module ? checker.getExportsOfModule(module) : []) {
      const isAlias = symbol.flags & ts.SymbolFlags.Alias;
      visit(isAlias ? checker.getAliasedSymbol(symbol) : symbol, symbol.name);
    }
  }
  expect(seen.size).toBeGreaterThan(600);
  expect(bare).toEqual([]);
});
