/**
 * Cells that an exporter took apart.
 *
 * LSTM:  c' = f c + i g,  h' = o tanh(c')
 * GRU:   h' = (1 - z) n + z h,  n = tanh(W x + r (R h + b)), or tanh(W x + R (r h) + b)
 * RNN:   h' = tanh(W x + R h + b)
 *
 * i, f, o, g, r and z are activations of matrices times x and h; the sums may be in any order.
 */
import { affineOf, onlyAtom } from './algebra.ts';
import type { Affine, Algebra, Atom, CellActivation, Part, Sum, Term } from './algebra.ts';

type Gate = Extract<Atom, { kind: 'gate' }>;

/** One step of a recurrent layer. */
export interface Cell {
  readonly type: 'RNN' | 'LSTM' | 'GRU';
  /** The gates in ONNX' order, and of GRU with reset after what the reset gate multiplies. */
  readonly gates: readonly Affine[];
  readonly inner?: Affine;
  readonly activations: readonly CellActivation[];
  readonly hidden: number;
  /** Tensors: what it reads, and its state; `undefined` where that is zeros. */
  readonly x: string;
  readonly h: string | undefined;
  readonly c: string | undefined;
  /** What it gives. */
  readonly output: { readonly h: string; readonly c?: string };
}

/** Which of two tensors is the state. */
export type IsState = (h: string, c: string | undefined) => boolean;

const isGate = (atom: Atom | undefined): atom is Gate => atom?.kind === 'gate';
const isTensor = (atom: Atom | undefined): atom is Extract<Atom, { kind: 'tensor' }> =>
  atom?.kind === 'tensor';

/** The activation of matrices times tensors. */
const plain = (atom: Atom | undefined): Gate | undefined =>
  isGate(atom) && affineOf(atom.of) ? atom : undefined;

const sameActivation = (a: CellActivation, b: CellActivation): boolean =>
  a.name === b.name && a.alpha === b.alpha && a.beta === b.beta;

/** Tensors that matrices are multiplied with. */
const tensorsOf = (affines: readonly Affine[]): string[] => [
  ...new Set(affines.flatMap(({ parts }) => parts.map(({ tensor }) => tensor))),
];

/** [x, h] of the tensors that gates read, where h is one of them; one may be joined of both. */
function readsOf(
  affines: readonly Affine[],
  hidden: number,
  hasState: boolean,
  isState: (name: string) => boolean,
): { x: string; h: string | undefined } | undefined {
  const tensors = tensorsOf(affines);
  const widthOf = (name: string): number =>
    affines.flatMap(({ parts }) => parts).find(({ tensor }) => tensor === name)!.columns;
  const fitting = tensors.filter((name) => widthOf(name) === hidden);
  // Of two tensors one of which is as wide as the state, that one is.
  const only = fitting.length === 1 && tensors.length === 2 && hasState ? fitting[0] : undefined;
  const h = hasState ? ([...fitting].reverse().find(isState) ?? only) : undefined;
  const others = tensors.filter((name) => name !== h);
  return others.length === 1 ? { x: others[0]!, h } : undefined;
}

/** Matrices whose parts that read x and h side by side read each by itself. */
function parted(affine: Affine, algebra: Algebra, hidden: number, isState: IsState): Affine {
  const parts = affine.parts.flatMap((part): Part[] => {
    const joined = algebra.joined.get(part.tensor)?.map((name) => algebra.nameOf(name));
    if (joined?.length !== 2) return [part];
    const [first, second] = joined as [string, string];
    const isSecond = isState(second, undefined);
    if (!isSecond && !isState(first, undefined)) return [part];
    const wide = part.columns - hidden;
    if (wide < 1) return [part];
    const width = isSecond ? wide : hidden;
    const rest = part.from + width * part.columnStride;
    return [
      { ...part, tensor: first, columns: width },
      { ...part, tensor: second, columns: part.columns - width, from: rest },
    ];
  });
  return { ...affine, parts };
}

/** The two factors of a product of two. */
const pairOf = (term: Term | undefined): readonly [Atom, Atom] | undefined =>
  term?.by === 1 && term.factors.length === 2 ? (term.factors as [Atom, Atom]) : undefined;

/** o act(c'), and c' = f c + i g. */
function lstm(algebra: Algebra, output: string, isState: IsState): Cell | undefined {
  const { terms } = algebra.sumOf(output);
  const pair = terms.length === 1 ? pairOf(terms[0]) : undefined;
  if (!pair) return undefined;
  for (const [o, last] of [pair, [pair[1], pair[0]] as const]) {
    if (!plain(o) || !isGate(last) || affineOf(last.of)) continue;
    const cell = ofCellState(algebra, o as Gate, last, isState);
    if (cell) return { ...cell, output: { h: output, c: last.name } };
  }
  return undefined;
}

function ofCellState(
  algebra: Algebra,
  o: Gate,
  last: Gate,
  isState: IsState,
): Omit<Cell, 'output'> | undefined {
  const pairs = last.of.terms.map(pairOf);
  if (pairs.length < 1 || pairs.length > 2 || pairs.some((pair) => !pair)) return undefined;
  const kept = pairs.find((pair) => pair!.some(isTensor));
  const added = pairs.find((pair) => pair !== kept);
  if (!added || (pairs.length === 2 && !kept)) return undefined;
  const f = kept?.find((atom) => !isTensor(atom));
  const c = kept?.find(isTensor)?.name;
  const [one, two] = added.map(plain);
  if (!one || !two || (kept && !plain(f))) return undefined;
  // The gate that has the activation of the others is the input gate.
  const isFirst = sameActivation(one.activation, o.activation);
  const [i, g] = isFirst ? [one, two] : [two, one];
  const gates = [i, o, (f as Gate | undefined) ?? i, g];
  const isSame = gates.slice(0, 3).every((gate) => sameActivation(gate.activation, o.activation));
  const hidden = affineOf(o.of)!.bias.length;
  const affines = gates.map(({ of }) => {
    return parted(affineOf(of)!, algebra, hidden, (name) => isState(name, c));
  });
  if (!isSame || affines.some(({ bias }) => bias.length !== hidden)) return undefined;
  const reads = readsOf(affines, hidden, c !== undefined, (name) => isState(name, c));
  if (!reads || (c !== undefined) !== (reads.h !== undefined)) return undefined;
  return {
    type: 'LSTM',
    gates: affines,
    activations: [o.activation, g.activation, last.activation],
    hidden,
    ...reads,
    c,
  };
}

/** 1 - s for the sigmoid s of an affine: the sigmoid of what is below zero as far. */
function complement(gate: Gate): Gate | undefined {
  const affine = affineOf(gate.of);
  if (gate.activation.name !== 'Sigmoid' || !affine) return undefined;
  const parts = affine.parts.map((part) => ({ ...part, by: -part.by }));
  const negative: Affine = { parts, bias: affine.bias.map((x) => -x) };
  return {
    ...gate,
    of: { terms: [{ by: 1, factors: [{ kind: 'affine', affine: negative }] }] },
  };
}

interface Mix {
  readonly z: Gate;
  readonly n: Gate;
  readonly h: string | undefined;
}

/** n - z n + z h, or h - z h + z n with the complement of z. */
function mixOf({ terms }: Sum): Mix | undefined {
  const single = terms.find(({ by, factors }) => by === 1 && factors.length === 1)?.factors[0];
  const lost = terms.find(({ by, factors }) => by === -1 && factors.length === 2)?.factors;
  const won = terms.find(({ by, factors }) => by === 1 && factors.length === 2)?.factors;
  if (!single || !lost || terms.length !== (won ? 3 : 2)) return undefined;
  const same = (a: Atom, b: Atom): boolean =>
    a.kind === b.kind && a.kind !== 'affine' && a.name === (b as Gate).name;
  const z = lost.find((atom) => !same(atom, single) && plain(atom));
  const again = lost.some((atom) => same(atom, single));
  if (!z || !again || !isGate(z)) return undefined;
  if (!won) return isGate(single) ? { z, n: single, h: undefined } : undefined;
  const other = won.find((atom) => !same(atom, z));
  if (!won.some((atom) => same(atom, z))) return undefined;
  if (isGate(single) && isTensor(other)) return { z, n: single, h: other.name };
  if (!isTensor(single) || !isGate(other)) return undefined;
  const turned = complement(z);
  return turned && { z: turned, n: other, h: single.name };
}

/** What the reset gate is in the way to n: with the product after it, or before. */
function resetOf(
  algebra: Algebra,
  n: Gate,
  h: string | undefined,
): { r: Gate; outside: Affine; inner?: Affine } | undefined {
  const products = n.of.terms.filter(({ factors }) => factors.length === 2);
  const given = affineOf({ terms: n.of.terms.filter(({ factors }) => factors.length === 1) });
  if (!given || products.length + 1 !== n.of.terms.length) return undefined;
  const isProduct = (name: string): boolean => pairOf(algebra.sumOf(name).terms[0]) !== undefined;
  const outside = products.length ? given : parted(given, algebra, given.bias.length, isProduct);
  if (products.length === 1) {
    const pair = pairOf(products[0]);
    const r = pair?.find((atom) => plain(atom));
    const inner = pair?.find((atom) => atom.kind === 'affine');
    return r && inner ? { r: r as Gate, outside, inner: inner.affine } : undefined;
  }
  if (products.length > 1 || h === undefined) return undefined;
  for (const { tensor } of outside.parts) {
    const { terms } = algebra.sumOf(tensor);
    const pair = terms.length === 1 ? pairOf(terms[0]) : undefined;
    const r = pair?.find((atom) => plain(atom));
    if (!r || !pair!.some((atom) => isTensor(atom) && atom.name === h)) continue;
    const parts = outside.parts.map((part) =>
      part.tensor === tensor ? { ...part, tensor: h } : part,
    );
    return { r: r as Gate, outside: { ...outside, parts } };
  }
  return undefined;
}

function gru(algebra: Algebra, output: string): Cell | undefined {
  const mix = mixOf(algebra.sumOf(output));
  const reset = mix && resetOf(algebra, mix.n, mix.h);
  if (!reset) return undefined;
  const { z, n, h } = mix;
  const { r, outside, inner } = reset;
  const hidden = affineOf(z.of)!.bias.length;
  const apart = (affine: Affine): Affine => parted(affine, algebra, hidden, (name) => name === h);
  const gates = [affineOf(z.of)!, affineOf(r.of)!, outside].map(apart);
  const own = inner && apart(inner);
  const all = [...gates, ...(own ? [own] : [])];
  if (all.some(({ bias }) => bias.length !== hidden)) return undefined;
  if (own?.parts.some(({ tensor }) => tensor !== h)) return undefined;
  if (own && gates[2]!.parts.some(({ tensor }) => tensor === h)) return undefined;
  const reads = readsOf(all, hidden, h !== undefined, (name) => name === h);
  if (!reads || reads.h !== h || !sameActivation(z.activation, r.activation)) return undefined;
  return {
    type: 'GRU',
    gates,
    ...(own && { inner: own }),
    activations: [z.activation, n.activation],
    hidden,
    ...reads,
    c: undefined,
    output: { h: output },
  };
}

/** act(W x + R h + b), where h is known to be a state. */
function rnn(algebra: Algebra, output: string, isState: IsState): Cell | undefined {
  const gate = plain(onlyAtom(algebra.sumOf(output)));
  if (!gate) return undefined;
  const hidden = affineOf(gate.of)!.bias.length;
  const affine = parted(affineOf(gate.of)!, algebra, hidden, isState);
  const reads = readsOf([affine], hidden, true, (name) => isState(name, undefined));
  if (reads?.h === undefined) return undefined;
  const activations = [gate.activation];
  return {
    type: 'RNN',
    gates: [affine],
    activations,
    hidden,
    ...reads,
    c: undefined,
    output: { h: output },
  };
}

/** The cell whose output a tensor is. */
export function cellAt(
  algebra: Algebra,
  output: string,
  isState: IsState,
  types: readonly Cell['type'][],
): Cell | undefined {
  const found = {
    LSTM: () => lstm(algebra, output, isState),
    GRU: () => gru(algebra, output),
    RNN: () => rnn(algebra, output, isState),
  };
  for (const type of types) {
    const cell = found[type]();
    if (cell) return cell;
  }
  return undefined;
}

const at = (part: Part, row: number, column: number): number =>
  part.by * part.data[part.from + row * part.rowStride + column * part.columnStride]!;

/** [hidden, columns] of what multiplies a tensor. */
function matrixOf(
  affine: Affine,
  tensor: string | undefined,
  columns: number,
  out: Float32Array,
): void {
  for (const part of affine.parts) {
    if (part.tensor !== tensor) continue;
    for (let k = 0; k < out.length; k++) {
      out[k]! += at(part, Math.floor(k / columns), k % columns);
    }
  }
}

/** Features of what a cell reads. */
export function widthOfInput({ gates, x }: Cell): number {
  return gates.flatMap(({ parts }) => parts).find(({ tensor }) => tensor === x)!.columns;
}

/** W [G H, I], R [G H, H] and B [2 G H] as ONNX has them. */
export function weightsOf(
  cell: Cell,
  take: (elements: number) => void,
): Record<'W' | 'R' | 'B', Float32Array> {
  const { gates, inner, hidden: H, x, h } = cell;
  const [G, I] = [gates.length, widthOfInput(cell)];
  take(G * H * (I + H + 2));
  const [W, R, B] = [
    new Float32Array(G * H * I),
    new Float32Array(G * H * H),
    new Float32Array(2 * G * H),
  ];
  for (const [k, gate] of gates.entries()) {
    matrixOf(gate, x, I, W.subarray(k * H * I, (k + 1) * H * I));
    if (h !== undefined) matrixOf(gate, h, H, R.subarray(k * H * H, (k + 1) * H * H));
    B.set(gate.bias, k * H);
  }
  if (inner) {
    const last = G - 1;
    if (h !== undefined) matrixOf(inner, h, H, R.subarray(last * H * H));
    B.set(inner.bias, (G + last) * H);
  }
  return { W, R, B };
}

/** Whether the matrices of one tensor each are the same, number by number. */
function samePart(
  a: Affine,
  tensorA: string,
  b: Affine,
  tensorB: string,
  take: (elements: number) => void,
): boolean {
  const rows = a.bias.length;
  const [one, two] = [
    a.parts.filter(({ tensor }) => tensor === tensorA),
    b.parts.filter(({ tensor }) => tensor === tensorB),
  ];
  if (one.length !== two.length) return false;
  return one.every((x, k) => {
    const y = two[k]!;
    if (x.columns !== y.columns) return false;
    const isOne =
      x.data === y.data &&
      x.from === y.from &&
      x.by === y.by &&
      x.rowStride === y.rowStride &&
      x.columnStride === y.columnStride;
    if (isOne) return true;
    take(rows * x.columns);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < x.columns; c++) if (at(x, r, c) !== at(y, r, c)) return false;
    }
    return true;
  });
}

/** Whether two cells are steps of one layer; the first one may begin with zeros. */
export function isSameCell(a: Cell, b: Cell, take: (elements: number) => void): boolean {
  if (a.type !== b.type || a.hidden !== b.hidden || !a.inner !== !b.inner) return false;
  if (!a.activations.every((one, k) => sameActivation(one, b.activations[k]!))) return false;
  const pairs = [
    ...a.gates.map((gate, k) => [gate, b.gates[k]!] as const),
    ...(a.inner ? [[a.inner, b.inner!] as const] : []),
  ];
  const skipped = a.h === undefined && a.type === 'LSTM' ? 2 : -1;
  return pairs.every(([one, two], k) => {
    // With a state of zeros there is no forget gate.
    if (k === skipped) return true;
    return (
      one.bias.every((x, j) => x === two.bias[j]) &&
      samePart(one, a.x, two, b.x, take) &&
      (a.h === undefined || samePart(one, a.h, two, b.h!, take))
    );
  });
}
