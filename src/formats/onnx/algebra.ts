/**
 * What nodes compute, in the terms in which a recurrent cell is written: gates, which are
 * activations of matrices times tensors, and sums of products of gates and tensors.
 */
import { countOf, floatsOf } from './constants.ts';
import type { Constant } from './constants.ts';
import { Node } from './node.ts';
import type { NodeProto } from './proto.ts';

/** Rows of a matrix of constants times a tensor. */
export interface Part {
  readonly tensor: string;
  readonly data: Float32Array;
  /** Where the first row is, and how far apart rows and columns are. */
  readonly from: number;
  readonly rowStride: number;
  readonly columnStride: number;
  readonly columns: number;
  readonly by: number;
}

/** Matrices times tensors, and a bias. */
export interface Affine {
  readonly parts: readonly Part[];
  readonly bias: Float32Array;
}

export interface CellActivation {
  readonly name: string;
  readonly alpha?: number;
  readonly beta?: number;
}

/** A factor: a tensor by its name, an activation of something, or matrices times tensors. */
export type Atom =
  | { readonly kind: 'tensor'; readonly name: string }
  | {
      readonly kind: 'gate';
      readonly activation: CellActivation;
      /** The tensor that it is of, and what that is. */
      readonly name: string;
      readonly of: Sum;
    }
  | { readonly kind: 'affine'; readonly affine: Affine };

export interface Term {
  readonly by: number;
  /** No factors are the number 1. */
  readonly factors: readonly Atom[];
}

/** A sum of products; nothing is zero. */
export interface Sum {
  readonly terms: readonly Term[];
}

export const ZERO: Sum = { terms: [] };

/** Most terms of a sum that is followed: a cell has three. */
const MAX_TERMS = 6;

const tensorOf = (name: string): Sum => ({
  terms: [{ by: 1, factors: [{ kind: 'tensor', name }] }],
});
const sumOf = (atom: Atom): Sum => ({ terms: [{ by: 1, factors: [atom] }] });

/** The only factor of a sum that is nothing else. */
export function onlyAtom({ terms }: Sum): Atom | undefined {
  const [term] = terms;
  return terms.length === 1 && term!.by === 1 && term!.factors.length === 1
    ? term!.factors[0]
    : undefined;
}

/** Matrices times tensors, where a sum is that alone; of zero there are none. */
export function affineOf(sum: Sum): Affine | undefined {
  const atom = onlyAtom(sum);
  return atom?.kind === 'affine' ? atom.affine : undefined;
}

type Take = (elements: number) => void;

function addedBias(
  a: Float32Array,
  b: Float32Array,
  by: number,
  take: Take,
): Float32Array | undefined {
  if (b.length !== a.length && b.length !== 1) return undefined;
  take(a.length);
  return a.map((x, k) => x + by * b[b.length === 1 ? 0 : k]!);
}

/** A sum whose matrices are together in one affine. */
function collected(terms: readonly Term[], take: Take): Sum | undefined {
  const others: Term[] = [];
  let whole: Affine | undefined;
  for (const term of terms) {
    const [atom] = term.factors;
    if (term.factors.length !== 1 || atom!.kind !== 'affine') {
      others.push(term);
      continue;
    }
    const { by } = term;
    const { affine } = atom as { affine: Affine };
    const own = affine.parts.map((part) => ({ ...part, by: part.by * by }));
    const parts = [...(whole?.parts ?? []), ...own];
    const before = whole?.bias ?? new Float32Array(affine.bias.length);
    const bias = !whole && by === 1 ? affine.bias : addedBias(before, affine.bias, by, take);
    if (!bias || parts.length > MAX_TERMS) return undefined;
    whole = { parts, bias };
  }
  const all = whole ? [...others, ...sumOf({ kind: 'affine', affine: whole }).terms] : others;
  return all.length <= MAX_TERMS ? { terms: all } : undefined;
}

/** A range of the features of gates and matrices. */
function sliced(sum: Sum, from: number, to: number): Sum | undefined {
  const atom = onlyAtom(sum);
  if (atom?.kind === 'affine') {
    const { parts, bias } = atom.affine;
    if (to > bias.length) return undefined;
    const affine = {
      parts: parts.map((part) => ({ ...part, from: part.from + from * part.rowStride })),
      bias: bias.slice(from, to),
    };
    return sumOf({ kind: 'affine', affine });
  }
  if (atom?.kind !== 'gate' || !affineOf(atom.of)) return undefined;
  const of = sliced(atom.of, from, to);
  return of && sumOf({ ...atom, name: `${atom.name}[${from}:${to}]`, of });
}

/** Operators that are activations of recurrent cells, and their numbers where none are given. */
const ACTIVATIONS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  Sigmoid: {},
  Tanh: {},
  Relu: {},
  Softsign: {},
  Softplus: {},
  HardSigmoid: { alpha: 0.2, beta: 0.5 },
  LeakyRelu: { alpha: 0.01 },
  ThresholdedRelu: { alpha: 1 },
  Elu: { alpha: 1 },
};

/** What reads constants by their names. */
export interface Lookup {
  constantOf(name: string): Constant | undefined;
  /** Whether a tensor is zeros, of whatever size. */
  isZero(name: string): boolean;
  /** Counts elements that are made, and refuses too many. */
  take(elements: number): void;
}

export class Algebra {
  readonly #sums = new Map<string, Sum>();
  readonly #same = new Map<string, string>();
  /** What tensors are joined of, feature by feature. */
  readonly joined: Map<string, readonly string[]> = new Map();
  readonly #lookup: Lookup;
  readonly #opset: number;

  readonly #take: Take = (elements) => this.#lookup.take(elements);

  constructor(lookup: Lookup, opset: number) {
    this.#lookup = lookup;
    this.#opset = opset;
  }

  /** The first name of a tensor that others pass on. */
  nameOf(name: string): string {
    return this.#same.get(name) ?? name;
  }

  /** Says that a tensor is another one. */
  alias(name: string, of: string): void {
    this.#same.set(name, this.nameOf(of));
  }

  /** Says that a tensor is to be taken as it is: the output of a cell. */
  close(name: string): void {
    this.#sums.set(name, tensorOf(name));
  }

  sumOf(given: string): Sum {
    const name = this.nameOf(given);
    return this.#sums.get(name) ?? (this.#lookup.isZero(name) ? ZERO : tensorOf(name));
  }

  run(proto: NodeProto): void {
    const node = new Node(proto, this.#opset);
    const [output = ''] = node.outputs;
    const isPlain = node.type === 'Dropout' || (node.type === 'Cast' && node.int('to', 1) === 1);
    if (node.type === 'Identity' || isPlain) {
      this.alias(output, node.inputs[0] ?? '');
      return;
    }
    // What is known needs no rule, but for the products of a state of zeros.
    const isProduct = node.type === 'Gemm' || node.type === 'MatMul';
    const isOfZeros = isProduct && this.#lookup.isZero(this.nameOf(node.inputs[0] ?? ''));
    const isOpen = isOfZeros || node.inputs.some((name) => this.#sums.has(this.nameOf(name)));
    if (!isOpen && this.#lookup.constantOf(output)) return;
    if (node.type === 'Concat') this.joined.set(output, node.inputs);
    if (node.type === 'Split') {
      this.#split(node);
      return;
    }
    const sum = this.#made(node);
    if (sum) this.#sums.set(output, sum);
  }

  #made(node: Node): Sum | undefined {
    const { type, inputs } = node;
    const [a = '', b = ''] = inputs;
    if (Object.hasOwn(ACTIVATIONS, type)) {
      const numbers = Object.entries(ACTIVATIONS[type]!);
      const own = Object.fromEntries(numbers.map(([name, x]) => [name, node.float(name, x)]));
      return this.#gate(node, { name: type, ...own });
    }
    switch (type) {
      case 'Gemm':
        return this.#gemm(node);
      case 'MatMul':
        return this.#product(a, b, false, 1, undefined);
      case 'Clip': {
        const [low, high] = ['min', 'max'].map(
          (name, k) => node.get(name)?.float ?? this.#number(inputs[k + 1] ?? ''),
        );
        const isUnit = low === 0 && high === 1;
        return isUnit ? this.#gate(node, { name: 'HardSigmoid', alpha: 1, beta: 0 }) : undefined;
      }
      case 'Add':
        return this.#added(a, b, 1);
      case 'Sub':
        return this.#added(a, b, -1);
      case 'Mul':
        return this.#multiplied(a, b);
      case 'Neg':
        return this.#scaled(this.sumOf(a), -1);
      case 'Slice':
        return this.#slice(node);
      case 'Squeeze': {
        // A single row without the axis of the batch is added as it would be with it.
        const sum = this.sumOf(a);
        const width = affineOf(sum)?.bias.length ?? 0;
        const axes = this.#whole(node, 1, 'axes');
        return (axes ? axes.every((axis) => axis === 0) : width > 1) && width ? sum : undefined;
      }
      default:
        return undefined;
    }
  }

  #gate(node: Node, activation: CellActivation): Sum {
    const name = this.nameOf(node.inputs[0]!);
    return sumOf({ kind: 'gate', activation, name, of: this.sumOf(name) });
  }

  #collected(terms: readonly Term[]): Sum | undefined {
    return collected(terms, this.#take);
  }

  /** A constant, unless it follows from a state of zeros. */
  #constant(given: string): Constant | undefined {
    const name = this.nameOf(given);
    return this.#sums.has(name) ? undefined : this.#lookup.constantOf(name);
  }

  #number(name: string): number | undefined {
    const constant = this.#constant(name);
    return constant?.data.length === 1 ? Number(constant.data[0]) : undefined;
  }

  /** A product with a matrix of constants. */
  #product(
    x: string,
    matrix: string,
    isTurned: boolean,
    by: number,
    bias: Float32Array | undefined,
  ): Sum | undefined {
    const constant = this.#constant(matrix);
    if (!constant?.isFloat || constant.dims.length !== 2) return undefined;
    const [height, width] = constant.dims as [number, number];
    const [rows, columns] = isTurned ? [height, width] : [width, height];
    const tensor = this.nameOf(x);
    const part: Part = {
      tensor,
      data: floatsOf(constant),
      from: 0,
      rowStride: isTurned ? width : 1,
      columnStride: isTurned ? 1 : width,
      columns,
      by,
    };
    this.#take(rows);
    const zeros = new Float32Array(rows);
    const whole = bias ? addedBias(zeros, bias, 1, this.#take) : zeros;
    const parts = this.#lookup.isZero(tensor) ? [] : [part];
    return whole && sumOf({ kind: 'affine', affine: { parts, bias: whole } });
  }

  #gemm(node: Node): Sum | undefined {
    const [a = '', b = '', c = ''] = node.inputs;
    const [alpha, beta] = [node.float('alpha', 1), node.float('beta', 1)];
    if (node.int('transA', 0)) return undefined;
    const isTurned = node.int('transB', 0) !== 0;
    const constant = c === '' ? undefined : this.#constant(c);
    const bias = constant && countOf(constant.dims) === (constant.dims.at(-1) ?? 1);
    if (c !== '' && !bias) {
      const made = beta === 1 ? this.#product(a, b, isTurned, alpha, undefined) : undefined;
      return made && this.#collected([...made.terms, ...this.sumOf(c).terms]);
    }
    const list = constant && floatsOf(constant).map((x) => x * beta);
    return this.#product(a, b, isTurned, alpha, list);
  }

  #scaled({ terms }: Sum, by: number): Sum | undefined {
    return this.#collected(terms.map((term) => ({ ...term, by: term.by * by })));
  }

  #added(a: string, b: string, by: number): Sum | undefined {
    const [first, second] = [a, b].map((name) => this.#constant(name));
    const constant = first ?? second;
    const isZero = [a, b].some((name) => this.#lookup.isZero(this.nameOf(name)));
    if (!constant || isZero) {
      const other = this.#scaled(this.sumOf(b), by);
      return other && this.#collected([...this.sumOf(a).terms, ...other.terms]);
    }
    const flow = first ? this.#scaled(this.sumOf(b), by) : this.sumOf(a);
    const sign = first ? 1 : by;
    const affine = flow && affineOf(flow);
    const numbers = floatsOf(constant);
    if (affine && countOf(constant.dims) === (constant.dims.at(-1) ?? 1)) {
      const bias = addedBias(affine.bias, numbers, sign, this.#take);
      return bias && sumOf({ kind: 'affine', affine: { ...affine, bias } });
    }
    const number = numbers[0]!;
    this.#take(numbers.length);
    if (!flow || numbers.some((x) => x !== number)) return undefined;
    return this.#collected([...flow.terms, { by: sign * number, factors: [] }]);
  }

  #multiplied(a: string, b: string): Sum | undefined {
    const [first, second] = [a, b].map((name) => this.#constant(name));
    const constant = first ?? second;
    if (constant && constant.data.length === 1) {
      return this.#scaled(this.sumOf(first ? b : a), Number(constant.data[0]));
    }
    const [left, right] = [a, b].map((name) => {
      const sum = this.sumOf(name);
      const isFlat = sum.terms.length <= 2 && sum.terms.every(({ factors }) => factors.length < 2);
      return isFlat ? sum : tensorOf(this.nameOf(name));
    });
    return this.#collected(
      left!.terms.flatMap((x) =>
        right!.terms.map((y) => ({ by: x.by * y.by, factors: [...x.factors, ...y.factors] })),
      ),
    );
  }

  /** Whether an axis is the features of a tensor of two axes. */
  #isLast = (axis: number | undefined): boolean => axis === 1 || axis === -1;

  #whole(node: Node, k: number, name: string): readonly number[] | undefined {
    const input = node.inputs[k] ?? '';
    if (input === '') return node.ints(name);
    const constant = this.#constant(input);
    return constant && Array.from(constant.data as ArrayLike<number>, Number);
  }

  #slice(node: Node): Sum | undefined {
    const of = (k: number, name: string): readonly number[] => this.#whole(node, k, name) ?? [];
    const [starts, ends, axes] = [of(1, 'starts'), of(2, 'ends'), of(3, 'axes')];
    const steps = this.#whole(node, 4, 'steps') ?? [];
    const last = axes.findIndex((axis) => this.#isLast(axis));
    // Other axes may be named that are left whole.
    const isPart = starts.every((start, k) => {
      return (
        (steps[k] ?? 1) === 1 && (k === last || (start === 0 && (ends[k] ?? 0) >= 2 ** 31 - 1))
      );
    });
    if (last < 0 || !isPart) return undefined;
    const sum = this.sumOf(node.inputs[0]!);
    const atom = onlyAtom(sum);
    const affine = atom?.kind === 'gate' ? affineOf(atom.of) : affineOf(sum);
    if (!affine) return undefined;
    const width = affine.bias.length;
    const held = (x: number): number => Math.min(Math.max(x < 0 ? x + width : x, 0), width);
    const [from, to] = [held(starts[last] ?? 0), held(ends[last] ?? 0)];
    return from < to ? sliced(sum, from, to) : undefined;
  }

  #split(node: Node): void {
    const sum = this.sumOf(node.inputs[0] ?? '');
    const atom = onlyAtom(sum);
    const affine = atom?.kind === 'gate' ? affineOf(atom.of) : affineOf(sum);
    if (!affine || !this.#isLast(node.int('axis', 0))) return;
    const width = affine.bias.length;
    const even = width / node.outputs.length;
    const sizes = this.#whole(node, 1, 'split') ?? node.outputs.map(() => even);
    let from = 0;
    for (const [k, output] of node.outputs.entries()) {
      const to = from + (sizes[k] ?? 0);
      const isRange = Number.isInteger(to) && to > from && to <= width;
      const part = isRange ? sliced(sum, from, to) : undefined;
      if (part && output !== '') this.#sums.set(output, part);
      from = to;
    }
  }
}
