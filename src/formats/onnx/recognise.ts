/**
 * Recurrent layers that an exporter took apart into their steps: a graph with LSTM and GRU in their
 * places. One step, whose states are given, or steps one after the other.
 */
import { isOf, viewOf } from '../../base/arrays.ts';
import { encodeUtf8 } from '../../base/utf8.ts';
import { Algebra } from './algebra.ts';
import { dimsOfValue, isZeros } from './call.ts';
import type { Value } from './call.ts';
import { cellAt, isSameCell, weightsOf, widthOfInput } from './cells.ts';
import type { Cell } from './cells.ts';
import { isKnown, numbersOf } from './constants.ts';
import type { Constant } from './constants.ts';
import { Node } from './node.ts';
import type { AttributeProto, GraphProto, NodeProto, TensorProto } from './proto.ts';

/** What is known of the tensors of a graph that was read. */
export interface Known {
  valueOf(name: string): Value | undefined;
  /** The number of the input that a tensor is, or is a part of. */
  inputOf(name: string): number | undefined;
  take(elements: number): void;
}

/** A step of a tensor. */
interface Step {
  readonly of: string;
  readonly axis: number;
  readonly index: number;
}

/** Cells of which each goes on where the one before ended. */
interface Chain {
  readonly cells: Cell[];
  /** The tensor [time, batch, features] of all that they give. */
  readonly steps: string;
}

/** Steps that are stacked in one tensor, in the order of `names`. */
interface Stack {
  readonly names: readonly string[];
  readonly axis: number;
  readonly output: string;
}

type Attributes = Readonly<
  Record<string, number | string | readonly string[] | Float32Array | Int32Array>
>;

const NO_LISTS = { floats: [], ints: [], texts: [] } as const;

/** A node as a file has it. */
export function nodeOf(
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  given: Attributes = {},
): NodeProto {
  const attributes = Object.entries(given).map(([name, value]): AttributeProto => {
    const own = { ...NO_LISTS, name };
    if (typeof value === 'number') return { ...own, int: value };
    if (typeof value === 'string') return { ...own, text: encodeUtf8(value) };
    if (isOf('Float32Array', value))
      return { ...own, floats: Array.from(viewOf('Float32Array', value)) };
    if (isOf('Int32Array', value)) return { ...own, ints: Array.from(viewOf('Int32Array', value)) };
    return { ...own, texts: value as readonly string[] };
  });
  return { type, inputs, outputs, attributes };
}

const axes = (...list: number[]): Attributes => ({ axes: Int32Array.from(list) });

/** The part of an axis from one index to another. */
const cut = (axis: number, from: number, to: number): Attributes => ({
  ...axes(axis),
  starts: Int32Array.of(from),
  ends: Int32Array.of(to),
});

function tensorOf(name: string, dims: readonly number[], data: Float32Array): TensorProto {
  const lists = { floats: [], int32s: [], texts: [], int64s: [], doubles: [], uint64s: [] };
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { ...lists, external: [], name, dims, type: 1, raw };
}

/** The attributes of the layer that cells are the steps of. */
export function attributesOf(
  { type, hidden, activations, inner }: Cell,
  isBackward: boolean,
): Attributes {
  const numbers = (which: 'alpha' | 'beta'): Float32Array =>
    Float32Array.from(activations.flatMap((one) => one[which] ?? []));
  return {
    hidden_size: hidden,
    activations: activations.map(({ name }) => name),
    activation_alpha: numbers('alpha'),
    activation_beta: numbers('beta'),
    ...(isBackward && { direction: 'reverse' }),
    ...(type === 'GRU' && { linear_before_reset: inner ? 1 : 0 }),
  };
}

export const shapesOf = (cell: Cell): Record<'W' | 'R' | 'B', number[]> => {
  const [G, H, I] = [cell.gates.length, cell.hidden, widthOfInput(cell)];
  return { W: [1, G * H, I], R: [1, G * H, H], B: [1, 2 * G * H] };
};

class Recogniser {
  readonly #graph: GraphProto;
  readonly #known: Known;
  readonly #opset: number;
  readonly #algebra: Algebra;
  readonly #names: Set<string>;
  readonly #steps = new Map<string, Step>();
  readonly #wide = new Map<string, Step>();
  /** By the first tensor of each. */
  readonly #stacks = new Map<string, Stack[]>();
  readonly #chains: Chain[] = [];
  /** By the tensors that they give. */
  readonly #byState = new Map<string, Chain>();
  readonly #gone = new Set<string>();
  /** Nodes that come before the one which gives a tensor. */
  readonly #added = new Map<string, NodeProto[]>();
  readonly #initializers: TensorProto[];

  constructor(graph: GraphProto, known: Known, opset: number) {
    this.#graph = graph;
    this.#known = known;
    this.#opset = opset;
    this.#initializers = [...graph.initializers];
    const zeros = new Map<string, boolean>();
    const constantOf = (name: string): Constant | undefined => {
      const value = known.valueOf(name);
      return value && 'constant' in value && isKnown(value.constant) ? value.constant : undefined;
    };
    const isZero = (name: string): boolean => {
      const is = zeros.get(name) ?? isZeros(known.valueOf(name));
      zeros.set(name, is);
      return is;
    };
    this.#algebra = new Algebra({ constantOf, isZero, take: (n) => known.take(n) }, opset);
    this.#names = new Set([
      ...graph.inputs.map(({ name = '' }) => name),
      ...graph.initializers.map(({ name = '' }) => name),
      ...graph.nodes.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]),
    ]);
  }

  /** The same graph with layers, or nothing where it has no cells. */
  graph(): GraphProto | undefined {
    for (const proto of this.#graph.nodes) {
      this.#algebra.run(proto);
      this.#follow(proto);
      if (['Mul', 'Add', 'Sub'].includes(proto.type ?? '')) this.#find(proto.outputs[0] ?? '');
    }
    for (const chain of this.#chains) this.#write(chain);
    if (!this.#added.size) return undefined;
    const nodes = this.#graph.nodes.flatMap((proto) => {
      const own = proto.outputs.flatMap((name) => this.#added.get(name) ?? []);
      return proto.outputs.some((name) => this.#gone.has(name)) ? own : [...own, proto];
    });
    return { ...this.#graph, initializers: this.#initializers, nodes: alive(nodes, this.#graph) };
  }

  /** A cell that ends in a tensor, which goes on a chain or begins one. */
  #find(output: string): void {
    const cell = cellAt(this.#algebra, output, (h, c) => this.#isState(h, c), ['LSTM', 'GRU']);
    if (!cell) return;
    this.#algebra.close(output);
    const before = this.#byState.get(cell.h ?? '');
    const chain = before && this.#goesOn(before, cell) ? before : this.#begin(cell);
    chain.cells.push(cell);
    for (const name of [cell.output.h, cell.output.c]) {
      if (name !== undefined) this.#byState.set(name, chain);
    }
    // Another layer may read these steps.
    this.#steps.set(output, { of: chain.steps, axis: 0, index: chain.cells.length - 1 });
  }

  #begin({ output }: Cell): Chain {
    const chain = { cells: [], steps: this.#name(`${output.h}.steps`) };
    this.#chains.push(chain);
    return chain;
  }

  /** Whether a tensor is the state beside the state c: of the cell before, or an input. */
  #isState(h: string, c: string | undefined): boolean {
    const before = this.#byState.get(h) ?? this.#byState.get(c ?? '');
    if (before) return before.cells.some(({ output }) => output.h === h && output.c === c);
    return (this.#known.inputOf(h) ?? 0) > 0;
  }

  /** Whether a cell is the next step of a chain. */
  #goesOn({ cells }: Chain, cell: Cell): boolean {
    const last = cells.at(-1)!;
    if (last.output.h !== cell.h || last.output.c !== cell.c) return false;
    const [one, two] = [this.#steps.get(last.x), this.#steps.get(cell.x)];
    if (!one || !two || one.of !== two.of || one.axis !== two.axis || one.axis > 1) return false;
    const way = two.index - one.index;
    const before = cells.length > 1 ? this.#steps.get(cells.at(-2)!.x)!.index : one.index - way;
    if (Math.abs(way) !== 1 || one.index - before !== way) return false;
    return isSameCell(last, cell, (n) => this.#known.take(n));
  }

  /** What is a step of a tensor, and what is steps side by side. */
  #follow(proto: NodeProto): void {
    const { type = '', inputs, outputs } = proto;
    const [x = '', second = ''] = inputs;
    const of = this.#algebra.nameOf(x);
    const [output = ''] = outputs;
    const node = new Node(proto, this.#opset);
    if (type === 'Gather') {
      const value = this.#known.valueOf(second);
      const isOne = value && 'constant' in value && value.constant.dims.length === 0;
      const [index] = (isOne && numbersOf(value.constant)) || [];
      if (index !== undefined) this.#steps.set(output, { of, axis: node.int('axis', 0), index });
    } else if (type === 'Squeeze') {
      const step = this.#wide.get(of);
      const [axis, ...more] = this.#list(node, 1, 'axes') ?? [];
      if (step && axis === step.axis && !more.length) this.#steps.set(output, step);
    } else if (type === 'Slice') {
      const lists = ['starts', 'ends', 'axes'].map((name, k) => this.#list(node, k + 1, name));
      const [[from, ...more] = [], [to] = [], [axis] = []] = lists;
      const isOne = from !== undefined && to === from + 1 && !more.length;
      if (isOne && axis !== undefined) this.#wide.set(output, { of, axis, index: from });
    } else if (type === 'Split') {
      const axis = node.int('axis', 0);
      const sizes = this.#list(node, 1, 'split') ?? outputs.map(() => 1);
      if (this.#sizeOf(of, axis) !== outputs.length || sizes.some((size) => size !== 1)) return;
      for (const [index, name] of outputs.entries()) this.#wide.set(name, { of, axis, index });
    } else if (type === 'Unsqueeze') {
      const [axis, ...more] = this.#list(node, 1, 'axes') ?? [];
      if (axis !== undefined && !more.length) this.#wide.set(output, { of, axis, index: 0 });
    } else if (type === 'Concat') {
      const axis = node.int('axis', 0);
      const parts = inputs.map((name) => this.#wide.get(name));
      if (axis > 1 || parts.some((part) => part?.axis !== axis)) return;
      const names = parts.map((part) => part!.of);
      const known = this.#stacks.get(names[0] ?? '') ?? [];
      this.#stacks.set(names[0] ?? '', [...known, { names, axis, output }].slice(0, 8));
    }
  }

  #list(node: Node, k: number, name: string): readonly number[] | undefined {
    const input = node.inputs[k] ?? '';
    if (input === '') return node.ints(name);
    const value = this.#known.valueOf(input);
    return value && 'constant' in value ? numbersOf(value.constant) : undefined;
  }

  #sizeOf(name: string, axis: number): number | undefined {
    const value = this.#known.valueOf(name);
    const size = value && dimsOfValue(value)[axis];
    return typeof size === 'number' ? size : undefined;
  }

  /** A name that the graph does not have. */
  #name(like: string): string {
    let name = like;
    for (let k = 1; this.#names.has(name); k++) name = `${like}.${k}`;
    this.#names.add(name);
    return name;
  }

  #write({ cells, steps }: Chain): void {
    const [first, last] = [cells[0]!, cells.at(-1)!];
    const isOne = cells.length === 1;
    // Of a single step with a state of zeros nothing says what the state does.
    if (isOne && first.h === undefined) return;
    const whole = isOne ? first : cells[1]!;
    const isBackward = !isOne && this.#placeOf(last) < this.#placeOf(first);
    const nodes: NodeProto[] = [];
    const named = (suffix: string): string => this.#name(`${first.output.h}.${suffix}`);
    const add = (type: string, input: string, more: Attributes, name = named(type)): string => {
      nodes.push(nodeOf(type, [input], [name], more));
      return name;
    };
    const X = isOne
      ? add('Unsqueeze', first.x, axes(0))
      : this.#sequenceOf(isBackward ? last : first, cells.length, add);
    const weights = weightsOf(whole, (n) => this.#known.take(n));
    const shapes = shapesOf(whole);
    const parameters = (['W', 'R', 'B'] as const).map((role) => {
      const name = named(role);
      this.#initializers.push(tensorOf(name, shapes[role], weights[role]));
      return name;
    });
    const isLstm = whole.type === 'LSTM';
    const initial = [first.h, ...(isLstm ? [first.c] : [])].map((name) =>
      name === undefined ? '' : add('Unsqueeze', name, axes(0)),
    );
    const [Y, h, c] = [named('Y'), named('Yh'), named('Yc')];
    nodes.push({
      ...nodeOf(
        whole.type,
        [X, ...parameters, '', ...initial],
        isLstm ? [Y, h, c] : [Y, h],
        attributesOf(whole, isBackward),
      ),
      name: first.output.h,
    });
    const give = (type: string, input: string, more: Attributes, name: string): void => {
      this.#gone.add(name);
      add(type, input, more, name);
    };
    add('Squeeze', Y, axes(1), steps);
    give('Squeeze', h, axes(0), last.output.h);
    if (last.output.c !== undefined) give('Squeeze', c, axes(0), last.output.c);
    const ordered = isBackward ? [...cells].reverse() : cells;
    for (const [k, cell] of ordered.entries()) {
      if (cell === last) continue;
      give('Squeeze', add('Slice', steps, cut(0, k, k + 1)), axes(0), cell.output.h);
    }
    const names = ordered.map(({ output }) => output.h);
    for (const stack of this.#stacks.get(names[0]!) ?? []) {
      const isAll = stack.names.length === names.length && !isOne;
      if (!isAll || names.some((name, k) => name !== stack.names[k])) continue;
      const perm = Int32Array.from(stack.axis ? [1, 0, 2] : [0, 1, 2]);
      give('Transpose', steps, { perm }, stack.output);
    }
    const at = first.output.c ?? first.output.h;
    this.#added.set(at, [...(this.#added.get(at) ?? []), ...nodes]);
  }

  #placeOf({ x }: Cell): number {
    return this.#steps.get(x)?.index ?? 0;
  }

  /** The tensor [time, batch, features] whose steps, from that of a cell on, are read. */
  #sequenceOf(
    { x }: Cell,
    count: number,
    add: (type: string, input: string, more: Attributes) => string,
  ): string {
    const { of, axis, index } = this.#steps.get(x)!;
    const own = this.#chains.find(({ steps }) => steps === of)?.cells.length;
    const isWhole = index === 0 && (own ?? this.#sizeOf(of, axis)) === count;
    const end = index + count === 0 ? 2 ** 31 - 1 : index + count;
    const part = isWhole ? of : add('Slice', of, cut(axis, index, end));
    return axis === 0 ? part : add('Transpose', part, { perm: Int32Array.of(1, 0, 2) });
  }
}

/** The nodes that outputs depend on. */
function alive(nodes: readonly NodeProto[], { outputs }: GraphProto): readonly NodeProto[] {
  // What branches read is not looked for.
  if (nodes.some(({ attributes }) => attributes.some(({ graph }) => graph))) return nodes;
  const wanted = new Set(outputs.map(({ name = '' }) => name));
  const kept: NodeProto[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    kept.push(node);
    for (const name of node.inputs) wanted.add(name);
  }
  return kept.reverse();
}

/** A graph whose cells are layers, or nothing where it has none. */
export function recognised(graph: GraphProto, known: Known, opset: number): GraphProto | undefined {
  // A cell has products with two gates at least.
  const products = graph.nodes.filter(({ type }) => type === 'Mul');
  return products.length < 2 ? undefined : new Recogniser(graph, known, opset).graph();
}
