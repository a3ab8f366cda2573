/**
 * Reads the machine code that V8 makes of the kernels, and lists the innermost loops that multiply
 * vectors, with how often each touches the stack: a loop without spills keeps all its vectors in
 * registers. On x64 only. Ends with status 1 when there are spills.
 *
 * Tiles that are four vectors wide and taller than two run in the fast lane alone, where two
 * vectors share a register; `--fast` reads the code of that lane. Elsewhere they are left out, and
 * V8 inlines nothing, so that they can be told from the others.
 *
 *     node bench/start.mjs disassemble.mjs [--fast] [baseline|relaxed] [PATTERN]
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const words = process.argv.slice(2);
const isFast = words.includes('--fast');
const [variant = 'relaxed', pattern = ''] = words.filter((word) => word !== '--fast');
const build = fileURLToPath(new URL(`../build/out/${variant}`, import.meta.url));

/**
 * The text format lists the functions under their names in the order of the binary, which has none.
 */
function functionNames() {
  const text = readFileSync(`${build}.wat`, 'utf8');
  return [...text.matchAll(/^ \(func \$(\S+)/gm)].map(([, name]) =>
    name.replaceAll('assembly/', ''),
  );
}

function printedCode() {
  const compile = `new WebAssembly.Module(require('fs').readFileSync(${JSON.stringify(`${build}.wasm`)}))`;
  const lane = isFast ? '--experimental-wasm-revectorize' : '--no-wasm-inlining';
  const flags = ['--no-liftoff', '--no-wasm-lazy-compilation', '--print-wasm-code', lane];
  return execFileSync(process.execPath, [...flags, '-e', compile], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
}

/**
 * [{ offset, text }] of the lines `0x2cf8fd127fcb     b  c4e279184650         vbroadcastss
 * xmm0,...`.
 */
function instructionsOf(listing) {
  return [...listing.matchAll(/^0x[0-9a-f]+ +([0-9a-f]+) {2}[0-9a-f]+ +(\S.*)$/gm)].map(
    ([, offset, text]) => ({ offset: parseInt(offset, 16), text }),
  );
}

function jumpTarget({ text }) {
  const target = /^j\w+ .*<\+0x([0-9a-f]+)>/.exec(text);
  return target ? parseInt(target[1], 16) : undefined;
}

/**
 * A loop is what lies between the target of jumps backwards and the last of these jumps. Innermost
 * are those in which no other begins: V8 lays blocks out so that spans may overlap. The rare paths
 * that it puts behind everything else, such as the stack check's, jump back too, but to just behind
 * the branch that led there.
 */
function innermostLoops(instructions) {
  const ends = new Map();
  for (const instruction of instructions) {
    const start = jumpTarget(instruction) ?? Infinity;
    if (start > instruction.offset) continue;
    const before = instructions.findLast(({ offset }) => offset < start);
    const branch = before ? (jumpTarget(before) ?? 0) : 0;
    const isRarePath = branch > start && branch <= instruction.offset;
    if (!isRarePath) ends.set(start, instruction.offset);
  }
  const starts = [...ends.keys()];
  return [...ends]
    .map(([start, end]) => ({ start, end }))
    .filter(({ start, end }) => !starts.some((other) => other > start && other <= end));
}

function describeLoop(name, instructions, { start, end }) {
  const body = instructions.filter(({ offset }) => offset >= start && offset <= end);
  const count = (regexp) => body.filter(({ text }) => regexp.test(text)).length;
  return {
    function: name,
    at: `+0x${start.toString(16)}`,
    instructions: body.length,
    products: count(/^v((fn?madd\d+|mul)ps|pdpbusd|pmaddwd) /),
    spills: count(/^v.*\[r[bs]p/),
  };
}

const WIDE = /product_[3-6]x1x4$/;
const names = functionNames();
const rows = printedCode()
  .split('--- WebAssembly code ---')
  .flatMap((listing) => {
    const index = /^index: (\d+)$/m.exec(listing);
    const name = index ? names[index[1]] : undefined;
    if (name === undefined || !name.match(pattern)) return [];
    if (!isFast && WIDE.test(name)) return [];
    const instructions = instructionsOf(listing);
    return innermostLoops(instructions).map((loop) => describeLoop(name, instructions, loop));
  })
  .filter(({ products }) => products > 0)
  .sort((a, b) => b.spills - a.spills || a.function.localeCompare(b.function));

const spilling = rows.filter(({ spills }) => spills > 0).length;
console.table(rows);
console.log(
  `${variant}, V8 ${process.versions.v8}: ${rows.length} loops, ${spilling} of them spill`,
);
process.exitCode = spilling > 0 ? 1 : 0;
