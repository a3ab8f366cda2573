// Writes assembly/matrix/gen/tiles.ts: the inner loops, which differ only in how many registers
// they fill. `--check` compares instead.
//
// A tile of R rows, P panels and V vectors keeps R * P * V sums in registers while it walks the
// depth of a product. V8 leaves 15 of 16 xmm registers: sums + one vector of B (or P * V for
// several rows of single vectors) + one broadcast must fit.
import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';

const target = new URL('../assembly/matrix/gen/tiles.ts', import.meta.url);

// [rows, panels, vectors]
const TILES = [
  // Tall: two vectors side by side, or of two panels, or one.
  ...[6, 5, 4, 3].flatMap((rows) => [
    [rows, 1, 4],
    [rows, 1, 2],
    [rows, 2, 1],
    [rows, 1, 1],
  ]),
  // Flat: whole panels of four vectors or three, then what is left.
  [2, 1, 4],
  [2, 1, 3],
  [2, 1, 1],
  [1, 3, 4],
  [1, 2, 4],
  [1, 1, 4],
  [1, 3, 3],
  [1, 2, 3],
  [1, 1, 3],
  [1, 1, 1],
];
/**
 * Rows and vectors of products with weights of 8 bits, each element of which takes two registers,
 * by digits of 7 bits or words of 16.
 */
const INT8_TILES = [
  ['Digits', 3, 2],
  ['Digits', 1, 4],
  ['Words', 2, 2],
  ['Words', 1, 4],
];

const range = (n) => Array.from({ length: n }, (_, i) => i);
const sumsOf = (rows, panels, vectors) =>
  range(rows).flatMap((r) =>
    range(panels).flatMap((p) => range(vectors).map((v) => ({ r, p, v, x: `x${r}${p}${v}` }))),
  );
const offset = (bytes) => (bytes ? `, ${bytes}` : '');

/**
 * The loop over the depth: every load once, each vector of B used by all rows as soon as it is
 * there.
 */
function loop(rows, panels, vectors, rowOffsets) {
  const splats = range(rows).map(
    (r) => `const s${r} = v128.load32_splat(a${r ? ` + ${rowOffsets(r)}` : ''});`,
  );
  const body = [];
  const products = (p, v) =>
    range(rows).map((r) => `x${r}${p}${v} = madd(s${r}, w${p}${v}, x${r}${p}${v});`);
  const load = (p, v) => `const w${p}${v} = v128.load(b${p}${offset(16 * v)});`;
  if (panels * vectors <= 2 || rows > 2) {
    range(panels).forEach((p) => range(vectors).forEach((v) => body.push(load(p, v))));
    range(rows).forEach((r) => {
      body.push(splats[r]);
      range(panels).forEach((p) => range(vectors).forEach((v) => body.push(products(p, v)[r])));
    });
  } else {
    body.push(...splats);
    range(panels).forEach((p) =>
      range(vectors).forEach((v) => body.push(load(p, v), ...products(p, v))),
    );
  }
  return body.join('\n');
}

/**
 * How often a loop is written out. What streams its weights from the second-level cache has to ask
 * for lines well before they are used: a processor foresees a load from the distance to where the
 * same instruction loaded last, and so the further, the more of them there are. Between the copies
 * the loop may end, which keeps V8 from mixing them.
 */
const copiesOf = (rows, panels) => (rows === 1 && panels > 1 ? 6 : 1);

function tile([R, P, V]) {
  const sums = sumsOf(R, P, V);
  const pointers = (name) =>
    range(P)
      .map((p) => `${name}${p}: usize`)
      .join(', ');
  const step = `
    ${loop(R, P, V, (r) => (r === 1 ? 'ar' : `a${r}`))}
    a += ak;
    ${range(P)
      .map((p) => `b${p} += bk;`)
      .join(' ')}`;
  const copies = copiesOf(R, P);
  const block = `{ ${step} }\n if (!--k) break;`;
  return `
/** ${R} rows x ${P * V} vectors: C = I + A B; row r of C and I is r strides further. */
export function product_${R}x${P}x${V}(g: Product, k: i32, a: usize, ${pointers('b')}, ${pointers('i')}, ${pointers('c')}): void {
  const ak = g.aDepth, bk = g.bDepth;
  ${R > 1 ? 'const ar = g.aRow, ir = g.iRow, cr = g.cRow;' : ''}
  ${range(R)
    .slice(2)
    .map((r) => `const a${r} = ar * ${r};`)
    .join(' ')}
  ${sums.map(({ r, p, v, x }) => `let ${x} = v128.load(i${p}${r ? ` + ir * ${r}` : ''}${offset(16 * v)});`).join('\n')}
  ${copies > 1 ? `while (true) { ${block.repeat(copies)} }` : `do { ${step} } while (--k);`}
  ${sums.map(({ r, p, v, x }) => `v128.store(c${p}${r ? ` + cr * ${r}` : ''}, ${x}${offset(16 * v)});`).join('\n')}
}`;
}

function int8Tile([kind, R, V]) {
  const isDigits = kind === 'Digits';
  const sums = range(R).flatMap((r) => range(V).map((v) => ({ r, v, n: `${r}${v}` })));
  const at = (name, r, v, stride) => `${name}${r ? ` + ${stride} * ${r}` : ''}${offset(16 * v)}`;
  const weights = (v) =>
    isDigits
      ? `const w${v} = v128.load(b${offset(16 * v)});`
      : `const w${v} = v128.load_ext<i8>(b${offset(16 * v)});
         const u${v} = v128.load_ext<i8>(b, ${16 * v + 8});`;
  const from = (r) => `a${r > 1 ? r : r ? ' + ar' : ''}`;
  const operands = (r) => `const d${r} = v128.load${isDigits ? 32 : 64}_splat(${from(r)});`;
  const others = (r) => (isDigits ? `const e${r} = v128.load32_splat(${from(r)}, 4);` : '');
  const dot = (sum, w, d) => `${sum} = dot${kind}(${w}, ${d}, ${sum});`;
  const first = (r, v) => dot(`x${r}${v}`, `w${v}`, `d${r}`);
  const second = (r, v) =>
    isDigits ? dot(`y${r}${v}`, `w${v}`, `e${r}`) : dot(`y${r}${v}`, `u${v}`, `d${r}`);
  const both = (r, v) => `${first(r, v)} ${second(r, v)}`;
  const body =
    R === 1
      ? [operands(0), others(0), ...range(V).flatMap((v) => [weights(v), both(0, v)])]
      : [
          ...range(V).map(weights),
          ...range(R).flatMap((r) => [
            operands(r),
            ...range(V).map((v) => first(r, v)),
            others(r),
            ...range(V).map((v) => second(r, v)),
          ]),
        ];
  const tile = `${R} x ${V} vectors${R === 1 ? ' or fewer' : ''}`;
  return `
/** ${tile}, weights of 8 bits by ${kind.toLowerCase()}, from column byte j on: C = I + A W^T. */
export function int8${kind}_${R}x${V}(g: Int8Product, k: i32, a: usize, b: usize, j: usize, ${R === 1 ? 'vectors: i32, ' : ''}i: usize, c: usize): void {
  const none = v128.load(ZEROS);
  ${R > 1 ? 'const ar = g.operandRow, ir = g.iRow, cr = g.cRow;' : ''}
  ${
    isDigits
      ? range(V)
          .map((v) => `const z${v} = v128.load(g.corrections + j${offset(16 * v)});`)
          .join('\n')
      : ''
  }
  ${sums.map(({ v, n }) => `let x${n} = ${isDigits ? `z${v}` : 'none'}, y${n} = none;`).join('\n')}
  const head = a;
  a += 16;
  ${range(R)
    .slice(2)
    .map((r) => `let a${r} = a + ar * ${r};`)
    .join('\n')}
  do {
    ${body.join('\n')}
    a += 8; b += 64;
    ${range(R)
      .slice(2)
      .map((r) => `a${r} += 8;`)
      .join(' ')}
  } while (--k);
  ${sums
    .map(({ r, v, n }) => {
      const sum = `v128.load(${at('i', r, v, 'ir')}), sum${kind}(x${n}, y${n})`;
      const factors = `v128.load(g.scales + j${offset(16 * v)}), v128.load32_splat(${at('head', r, 0, 'ar')})`;
      const isThere = R === 1 && v > 0 ? `if (vectors > ${v}) ` : '';
      return `${isThere}v128.store(${at('c', r, 0, 'cr')}, scaled(${sum}, ${factors})${offset(16 * v)});`;
    })
    .join('\n')}
}`;
}

const source = `// Generated by build/tiles.mjs; do not edit.
import { Int8Product, Product } from '../../base/structs';
import { dotDigits, dotWords, madd, scaled, sumDigits, sumWords } from '../../base/simd';
import { ZEROS } from '../../base/tables';
${TILES.map(tile).join('\n')}
${INT8_TILES.map(int8Tile).join('\n')}
`;
const config = await resolveConfig(target);
const text = await format(source, { ...config, filepath: target.pathname });
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    console.error(
      'assembly/matrix/gen/tiles.ts is not what build/tiles.mjs writes; run "node build/tiles.mjs"',
    );
    process.exit(1);
  }
} else writeFileSync(target, text);
