/**
 * `Loop` and `Scan` whose body is one step of a recurrent layer, as tf2onnx writes GRU, SimpleRNN
 * and LSTM with activations of its own out of Keras. The layer is in their place; all others are
 * refused.
 */
import { Algebra } from './algebra.ts';
import type { Context, Operator, Value } from './call.ts';
import { dimsOfValue, isZeros } from './call.ts';
import { cellAt, weightsOf } from './cells.ts';
import type { Cell } from './cells.ts';
import { numbersOf } from './constants.ts';
import type { Constant } from './constants.ts';
import type { Dim } from './dims.ts';
import { reshaped } from './fold.ts';
import { Node } from './node.ts';
import type { GraphProto, NodeProto } from './proto.ts';
import { attributesOf, nodeOf, shapesOf } from './recognise.ts';

/** What the graph around a body does for it. */
export interface Around {
  readonly graph: Context;
  /** What a name outside of the body stands for. */
  valueOf(name: string): Value | undefined;
  /** What a node gives whose inputs are all known, if it can be folded. */
  fold(proto: NodeProto, inputs: readonly (Value | undefined)[]): readonly (Value | undefined)[];
  /** Whether any node or output reads a tensor. */
  isRead(name: string): boolean;
  /** What a recurrent node becomes: a layer, or a step of a program. */
  readonly recurrent: Operator;
}

/** Steps of a tensor from the first on, or from the last one back. */
interface Sequence {
  readonly value: Value;
  readonly axis: number;
  readonly isBackward: boolean;
}

/** A bound on a count that goes up by one a step. */
interface Bound {
  readonly offset: number;
  readonly limit: Dim;
}

class Body {
  readonly #graph: GraphProto;
  readonly #around: Around;
  readonly #opset: number;
  readonly algebra: Algebra;
  readonly #values = new Map<string, Value>();
  readonly #makers = new Map<string, NodeProto>();
  /** Tensors that are the number of the step, and more by so much. */
  readonly counts: Map<string, number> = new Map();
  /** Conditions, by what they bound. */
  readonly bounds: Map<string, readonly Bound[]> = new Map();
  readonly steps: Map<string, Sequence> = new Map();

  constructor(graph: GraphProto, around: Around, opset: number) {
    this.#graph = graph;
    this.#around = around;
    this.#opset = opset;
    const lookup = {
      constantOf: (name: string): Constant | undefined => {
        const value = this.valueOf(name);
        return value && 'constant' in value ? value.constant : undefined;
      },
      isZero: (name: string): boolean => isZeros(this.#values.get(name)),
      take: (elements: number): void => around.graph.take(elements),
    };
    this.algebra = new Algebra(lookup, opset);
    for (const tensor of graph.initializers) {
      this.#values.set(tensor.name ?? '', { constant: around.graph.constantOf(tensor) });
    }
    for (const node of graph.nodes) for (const name of node.outputs) this.#makers.set(name, node);
  }

  valueOf(given: string): Value | undefined {
    const name = this.algebra.nameOf(given);
    const isOwn = this.#makers.has(name) || this.#graph.inputs.some((input) => input.name === name);
    return this.#values.get(name) ?? (isOwn ? undefined : this.#around.valueOf(name));
  }

  give(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  /** What an output is that nodes only pass on. */
  origin(given: string): string {
    let name = given;
    for (let k = 0; k < this.#graph.nodes.length; k++) {
      const maker = this.#makers.get(name);
      if (maker?.type !== 'Identity') break;
      name = maker.inputs[0] ?? '';
    }
    return name;
  }

  /** Whether an output is an input and one more. */
  isCount(input: string, output: string): boolean {
    const maker = this.#makers.get(this.origin(output));
    const [a = '', b = ''] = maker?.inputs ?? [];
    if (maker?.type !== 'Add') return false;
    const one = this.origin(a) === input ? b : this.origin(b) === input ? a : '';
    return one !== '' && this.#wholeOf(this.origin(one)) === 1;
  }

  /** A whole number that a tensor is, also where its node has not run. */
  #wholeOf(name: string): Dim | undefined {
    const maker = this.#makers.get(name);
    const made = maker?.type === 'Constant' ? this.#around.fold(maker, [])[0] : this.valueOf(name);
    const isOne = made && 'constant' in made && made.constant.data.length === 1;
    const number = isOne ? (made.constant.data[0] as Dim) : undefined;
    // tf2onnx compares whole numbers as numbers with a fraction in older versions of operators.
    return typeof number === 'string' || Number.isInteger(number) ? number : undefined;
  }

  run(): void {
    for (const proto of this.#graph.nodes) {
      const { type = '', inputs, outputs } = proto;
      const values = inputs.map((name) => (name === '' ? undefined : this.valueOf(name)));
      const isKnown = values.every((value, k) =>
        value ? 'constant' in value || 'spread' in value : inputs[k] === '',
      );
      if (isKnown) {
        for (const [k, value] of this.#around.fold(proto, values).entries()) {
          if (value && outputs[k]) this.#values.set(outputs[k], value);
        }
      }
      this.algebra.run(proto);
      this.#follow(
        type,
        inputs.map((name) => this.algebra.nameOf(name)),
        outputs[0] ?? '',
        proto,
      );
    }
  }

  #follow(
    type: string,
    [a = '', b = '']: readonly string[],
    output: string,
    proto: NodeProto,
  ): void {
    const count = this.counts.get(a) ?? this.counts.get(b);
    const step = this.steps.get(a);
    if (type === 'Squeeze' && step) this.algebra.alias(output, a);
    if (type === 'And') {
      const both = [a, b].map((name) => this.bounds.get(name));
      if (both[0] && both[1]) this.bounds.set(output, [...both[0], ...both[1]]);
    }
    if (count === undefined) return;
    const isSame = ['Cast', 'Squeeze', 'Unsqueeze', 'Reshape'].includes(type);
    const isFirst = this.counts.has(a);
    const other = this.#wholeOf(isFirst ? b : a);
    if (isSame && isFirst) this.counts.set(output, count);
    if (type === 'Add' && typeof other === 'number') this.counts.set(output, count + other);
    if (type === 'Less' && isFirst && other !== undefined) {
      this.bounds.set(output, [{ offset: count, limit: other }]);
    }
    const value = this.valueOf(a);
    const isGather = type === 'Gather' && !isFirst && count === 0;
    if (isGather && value && new Node(proto, this.#opset).int('axis', 0) === 0) {
      this.steps.set(output, { value, axis: 0, isBackward: false });
    }
  }
}

/** What the loop keeps from step to step: the names inside, and what it begins with. */
interface State {
  readonly input: string;
  readonly output: string;
  readonly value: Value | undefined;
}

const noCell = (node: Node, why: string): never =>
  node.refuse(
    `${why}; tf2onnx writes layers of Keras this way: give the Keras file to gatefold/formats/keras`,
  );

/** The cell that a body is, whose states are all that it keeps. */
function cellOf(body: Body, states: readonly State[]): Cell | undefined {
  const inputs = new Set(states.map(({ input }) => input));
  const isState = (h: string, c: string | undefined): boolean =>
    inputs.has(h) && (c === undefined || inputs.has(c));
  for (const { input, output } of states) {
    const cell = cellAt(body.algebra, output, isState, ['LSTM', 'GRU', 'RNN']);
    if (!cell || cell.h !== input) continue;
    const others = states.filter((state) => state.input !== input);
    const isAll =
      cell.type === 'LSTM'
        ? others.length === 1 && others[0]!.input === cell.c && others[0]!.output === cell.output.c
        : others.length === 0;
    if (isAll) return cell;
  }
  return undefined;
}

/** A value whose axes are others of its own: below 0 it is an axis of one. */
function reordered(value: Value | undefined, order: readonly number[]): Value | undefined {
  if (!value) return undefined;
  const of = <T>(list: readonly T[], one: T): T[] =>
    order.map((axis) => (axis < 0 ? one : list[axis]!));
  if ('constant' in value) {
    const { constant } = value;
    return { constant: reshaped(constant, of(constant.dims, 1)) };
  }
  if ('spread' in value) {
    const { base, dims } = value.spread;
    return { spread: { base: reshaped(base, of(base.dims, 1)), dims: of<Dim>(dims, 1) } };
  }
  if ('tensor' in value) {
    const { tensor } = value;
    return { tensor: { ...tensor, dims: of(tensor.dims, 1), strides: of(tensor.strides, 0) } };
  }
  return 'flow' in value ? { flow: { ...value.flow, axes: of(value.flow.axes, []) } } : value;
}

/** [Y, h, c] of a layer whose steps are a cell: [time, batch, features], and rows. */
function layerOf(
  node: Node,
  cell: Cell,
  { value, axis, isBackward }: Sequence,
  states: readonly State[],
  around: Around,
): (Value | undefined)[] {
  const isComputed = 'flow' in value || 'tensor' in value;
  if (!isComputed || dimsOfValue(value).length !== 3) {
    return noCell(node, 'it runs over no sequence that is computed');
  }
  const turned = reordered(value, [axis, ...[0, 1, 2].filter((k) => k !== axis)]);
  const shapes = shapesOf(cell);
  const weights = weightsOf(cell, (n) => around.graph.take(n));
  const parameters = (['W', 'R', 'B'] as const).map((role): Value => {
    return { constant: { dims: shapes[role], data: weights[role], isFloat: true } };
  });
  const initial = [cell.h, cell.c].map((name) => {
    return reordered(states.find(({ input }) => input === name)?.value, [-1, 0, 1]);
  });
  const proto = nodeOf(cell.type, [], ['', '', ''], attributesOf(cell, isBackward));
  const own = new Node({ ...proto, name: node.name }, node.opset);
  const inputs = [turned, ...parameters, undefined, ...initial];
  const [Y, h, c] = around.recurrent({ node: own, inputs, graph: around.graph });
  return [reordered(Y, [0, 2, 3]), reordered(h, [1, 2]), reordered(c, [1, 2])];
}

/** Outputs of the loop: last states, what does not change, and what each step gives. */
function resultsOf(
  node: Node,
  cell: Cell,
  layer: readonly (Value | undefined)[],
  last: readonly { readonly output: string; readonly kept?: Value | undefined }[],
  scans: readonly string[],
  around: Around,
): (Value | undefined)[] {
  const [Y, h, c] = layer;
  const made = [
    ...last.map(({ output, kept }) =>
      kept ? kept : output === cell.output.h ? h : output === cell.output.c ? c : undefined,
    ),
    ...scans.map((output) => (output === cell.output.h ? Y : undefined)),
  ];
  for (const [k, name] of node.outputs.entries()) {
    if (!made[k] && around.isRead(name)) noCell(node, `it gives "${name}", which is no state`);
  }
  return made;
}

/** A `Loop` over all steps of a sequence. */
function runLoop(
  node: Node,
  [most, condition, ...initial]: readonly (Value | undefined)[],
  graph: GraphProto,
  around: Around,
): (Value | undefined)[] {
  const body = new Body(graph, around, node.opset);
  const [iteration = '', , ...inputs] = graph.inputs.map(({ name = '' }) => name);
  const [goesOn = '', ...outputs] = graph.outputs.map(({ name = '' }) => name);
  body.counts.set(iteration, 0);
  const states: State[] = [];
  const last = inputs.map((input, k) => {
    const [value, output] = [initial[k], body.origin(outputs[k] ?? '')];
    const first = value && 'constant' in value ? numbersOf(value.constant) : undefined;
    if (output === input) {
      if (value) body.give(input, value);
      return { output, kept: value };
    }
    if (first?.[0] === 0 && body.isCount(input, output)) body.counts.set(input, 0);
    else states.push({ input, output, value });
    return { output };
  });
  body.run();
  const cell = cellOf(body, states);
  const sequence = cell && body.steps.get(cell.x);
  if (!sequence) return noCell(node, 'its body is no step of a recurrent layer that is known');
  if ('unknown' in sequence.value) return [];
  const time = dimsOfValue(sequence.value)[0]!;
  // After step k it goes on where k + offset < limit: the first step is always run.
  const limits = (body.bounds.get(body.origin(goesOn)) ?? []).map(({ offset, limit }) => {
    if (typeof limit === 'number') return limit - offset + 1;
    if (offset === 1) return limit;
    return offset < 1 && limit === time ? Infinity : -1;
  });
  const isTrue = isOne(body.valueOf(goesOn)) || body.origin(goesOn) === graph.inputs[1]?.name;
  if (!limits.length && !isTrue) noCell(node, 'whether it goes on depends on what it computes');
  const M = most && 'constant' in most ? (most.constant.data[0] as Dim) : undefined;
  const all = [...limits, ...(M === undefined ? [] : [M])];
  const isEnough = all.every((limit) => {
    return (
      limit === time || (typeof limit === 'number' && typeof time === 'number' && limit > time)
    );
  });
  const begins = condition === undefined || isOne(condition);
  if (!begins || !isEnough || !all.includes(time)) {
    noCell(node, 'it may not run over all steps of the sequence');
  }
  const scans = outputs.slice(inputs.length).map((name) => body.origin(name));
  return resultsOf(
    node,
    cell!,
    layerOf(node, cell!, sequence, states, around),
    last,
    scans,
    around,
  );
}

const isOne = (value: Value | undefined): boolean =>
  value !== undefined && 'constant' in value && numbersOf(value.constant)?.[0] === 1;

function runScan(
  node: Node,
  values: readonly (Value | undefined)[],
  graph: GraphProto,
  around: Around,
): (Value | undefined)[] {
  const count = node.int('num_scan_inputs', 0);
  const kept = values.length - count;
  if (node.opset < 9 || count < 1 || kept < 0) noCell(node, 'its form is not supported');
  const body = new Body(graph, around, node.opset);
  const names = graph.inputs.map(({ name = '' }) => name);
  const outputs = graph.outputs.map(({ name = '' }) => body.origin(name));
  const way = (name: string, k: number): number => node.ints(name)?.[k] ?? 0;
  for (let k = 0; k < count; k++) {
    const value = values[kept + k]!;
    const isBackward = way('scan_input_directions', k) === 1;
    const axis = node.axis(way('scan_input_axes', k), dimsOfValue(value).length);
    body.steps.set(names[kept + k] ?? '', { value, axis, isBackward });
  }
  const states = names.slice(0, kept).map((input, k): State => {
    return { input, output: outputs[k] ?? '', value: values[k] };
  });
  body.run();
  const cell = cellOf(body, states);
  const sequence = cell && body.steps.get(cell.x);
  if (!sequence) return noCell(node, 'its body is no step of a recurrent layer that is known');
  const scans = outputs.slice(kept);
  for (const k of scans.keys()) {
    const isSame = (way('scan_output_directions', k) === 1) === sequence.isBackward;
    if (!isSame || way('scan_output_axes', k) !== 0) {
      noCell(node, 'it gives its steps in another order');
    }
  }
  const last = states.map(({ output }) => ({ output }));
  return resultsOf(
    node,
    cell!,
    layerOf(node, cell!, sequence, states, around),
    last,
    scans,
    around,
  );
}

/** The layer that a `Loop` or a `Scan` is, or why it is none. */
export function loop(
  node: Node,
  inputs: readonly (Value | undefined)[],
  body: GraphProto | undefined,
  around: Around,
): (Value | undefined)[] {
  if (!body) return noCell(node, 'it has no body');
  return node.type === 'Loop'
    ? runLoop(node, inputs, body, around)
    : runScan(node, inputs, body, around);
}
