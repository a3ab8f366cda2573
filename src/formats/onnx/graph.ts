/** A graph node by node: what is known is folded, the rest becomes layers. */
import { GatefoldError, shorten } from '../../base/errors.ts';
import { Builder } from './builder.ts';
import type { Context, StateUse, Value } from './call.ts';
import { OpenSize, constantOf, isFloatType, numbersOf, scalar } from './constants.ts';
import type { Constant, ExternalData } from './constants.ts';
import { Names } from './dims.ts';
import { GraphInput, axisOf, partOf, sizeOf } from './flow.ts';
import type { Flow, Role } from './flow.ts';
import { loop } from './loops.ts';
import { Node, Refusal } from './node.ts';
import { LEAST, OPERATORS, PARTS, VARIADIC } from './operators.ts';
import type { Machine } from './program/machine.ts';
import { PROGRAM } from './program/operators.ts';
import type { Branches, GraphProto, NodeProto, TensorProto, ValueProto } from './proto.ts';
import { damaged } from './protobuf.ts';
import { recognised } from './recognise.ts';
import type { Known } from './recognise.ts';

const UNKNOWN: Value = { unknown: true };

/** Deepest nesting of `If`. */
const MAX_DEPTH = 16;
/** Problems that an error lists. */
const MAX_PROBLEMS = 24;

/** What the caller says of a graph. */
export interface Given {
  readonly dims: ReadonlyMap<string, number>;
  readonly set: ReadonlyMap<string, Constant>;
  /** Inputs by the outputs that take their places in the next call. */
  readonly carry: ReadonlyMap<string, string>;
  readonly data: ExternalData;
  readonly branches: Branches;
  /** Version of the operators. */
  readonly opset: number;
  /** What the axes of inputs are, where that is tried; operators tell it where absent. */
  readonly layout?: readonly Role[];
  /** Inputs that seem to be states: what has a size in the file is features. */
  readonly seeming?: ReadonlySet<string>;
  /** Graphs in the place of those of the file: with layers for the cells that they have. */
  readonly whole: ReadonlyMap<string, GraphProto>;
}

/** The outputs of the branches that a graph is in. */
type Path = readonly string[];
const keyOf = (path: Path): string => JSON.stringify(path);

/** The names of a graph or a branch, which sees those around it. */
class Scope {
  readonly #values = new Map<string, Value>();
  readonly #tensors: ReadonlyMap<string, TensorProto>;
  readonly #read: (tensor: TensorProto) => Constant;
  readonly #outer: Scope | undefined;

  constructor(
    tensors: readonly TensorProto[],
    read: (tensor: TensorProto) => Constant,
    outer?: Scope,
  ) {
    this.#tensors = new Map(tensors.map((tensor) => [tensor.name ?? '', tensor]));
    this.#read = read;
    this.#outer = outer;
  }

  /** An initializer is read when something needs it. */
  get(name: string): Value | undefined {
    const known = this.#values.get(name);
    if (known) return known;
    const tensor = this.#tensors.get(name);
    if (!tensor) return this.#outer?.get(name);
    const value = { constant: this.#read(tensor) };
    this.#values.set(name, value);
    return value;
  }

  set(name: string, value: Value): void {
    if (this.#values.has(name) || this.#tensors.has(name)) {
      damaged(`"${shorten(name)}" is there twice`);
    }
    this.#values.set(name, value);
  }
}

export class Graph implements Context {
  readonly names: Names = new Names();
  readonly build: Builder;
  readonly given: Given;
  readonly #scope: Scope;
  readonly inputs: Map<string, GraphInput> = new Map();
  readonly problems: Map<string, string[]> = new Map();
  /** Whether a node is refused that no sizes and values make a layer or a step of a program. */
  isForeign = false;
  /** Inputs that are initial states, and of which layers. */
  readonly states: Map<string, StateUse[]> = new Map();
  readonly carried: ReadonlySet<string>;
  /** Valid steps of every row: the input that has them, or what they are. */
  lengths: string | readonly number[] | undefined;
  readonly ending: Set<string> = new Set();
  /** Nodes of the file, those of all branches too. */
  before = 0;
  /** Graphs whose cells are put together, by the places of what they are in the place of. */
  readonly whole: Map<string, GraphProto> = new Map();
  readonly #take: (elements: number) => void;
  readonly #uses = new Map<string, number>();
  /** The program that nodes become steps of, rather than layers. */
  readonly #machine: Machine | undefined;

  constructor(
    graph: GraphProto,
    given: Given,
    take: (elements: number) => void,
    machine?: Machine,
  ) {
    this.given = given;
    this.#machine = machine;
    this.carried = new Set(given.carry.values());
    this.#take = take;
    const inputs = graph.inputs.map(({ name = '' }) => name);
    const outputs = graph.outputs.map(({ name = '' }) => name);
    this.build = new Builder([...inputs, ...outputs], take);
    if (graph.sparse.length) damaged('sparse tensors are not supported');
    const known = new Set(graph.initializers.map(({ name = '' }) => name));
    const own = given.whole.get(keyOf([]));
    this.#scope = this.#scopeOf(own ?? graph, given.set);
    for (const input of graph.inputs) {
      const { name = '' } = input;
      if (!known.has(name) || given.set.has(name)) this.#input(input);
    }
    this.#countUses(own ?? graph);
    this.#run(own ?? graph, this.#scope, []);
  }

  #scopeOf({ initializers }: GraphProto, set: ReadonlyMap<string, unknown>, outer?: Scope): Scope {
    const own = initializers.filter(({ name = '' }) => !set.has(name));
    return new Scope(own, (tensor) => this.constantOf(tensor), outer);
  }

  /** What a name of the graph stands for. */
  valueOf(name: string): Value | undefined {
    return this.#scope.get(name);
  }

  constantOf(tensor: TensorProto): Constant {
    return constantOf(tensor, this.given.data);
  }

  /** The input that a flow has features of. */
  #inputOf({ source }: Flow): GraphInput | undefined {
    let at = source;
    for (let of = this.build.placesOf(at)?.of; of !== undefined; of = this.build.placesOf(at)?.of) {
      at = of;
    }
    const input = this.inputs.get(at);
    return input?.isFloat ? input : undefined;
  }

  /** The input that a flow has `width` features of, and which. */
  originOf(flow: Flow, width: number): { input: GraphInput; places: number[] } | undefined {
    const input = this.#inputOf(flow);
    if (!input) return undefined;
    this.take(width);
    let places = Array.from({ length: width }, (_, k) => k);
    let at = this.build.placesOf(flow.source);
    for (; at; at = this.build.placesOf(at.of)) {
      this.take(width);
      const { map } = at;
      places = places.map((place) => (place < 0 ? place : (map[place] ?? -1)));
    }
    return { input, places };
  }

  /** What the search for cells may ask. */
  #known(scope: Scope): Known {
    const names = [...this.inputs.keys()];
    return {
      valueOf: (name) => scope.get(name),
      inputOf: (tensor) => {
        const value = scope.get(tensor);
        const input = value && 'flow' in value ? this.#inputOf(value.flow) : undefined;
        return input && names.indexOf(input.name);
      },
      take: (elements) => this.take(elements),
    };
  }

  take(elements: number): void {
    this.#take(elements);
  }

  #use(name: string): void {
    this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
  }

  /** Counts readers, those in branches too: a tensor that others read stays as it is. */
  #countUses(first: GraphProto): void {
    const graphs: { graph: GraphProto; depth: number }[] = [{ graph: first, depth: 0 }];
    for (const { graph, depth } of graphs) {
      for (const { name = '' } of graph.outputs) this.#use(name);
      this.before += graph.nodes.length;
      for (const { inputs, attributes } of graph.nodes) {
        for (const name of inputs) this.#use(name);
        for (const { graph: branch } of attributes) {
          if (!branch) continue;
          if (depth >= MAX_DEPTH) damaged(`graphs are nested more than ${MAX_DEPTH} deep`);
          graphs.push({ graph: this.given.branches.of(branch), depth: depth + 1 });
        }
      }
    }
  }

  /** Whether only one node reads a tensor. */
  isReadOnce(name: string): boolean {
    return this.#uses.get(name) === 1;
  }

  #input({ name = '', type }: ValueProto): void {
    const { set, dims: known } = this.given;
    const fixed = set.get(name);
    if (fixed) {
      this.#scope.set(name, { constant: fixed });
      return;
    }
    const { element = 1, shape } = type?.tensor ?? {};
    if (!shape) {
      this.problems.set(name, [`the input "${shorten(name)}": the file says no shape of it`]);
      this.#scope.set(name, UNKNOWN);
      return;
    }
    if (shape.dims.length > 8) damaged(`the input "${shorten(name)}" has too many dimensions`);
    const axes = shape.dims.map(({ value, name: symbol }, axis): ReturnType<typeof axisOf> => {
      const plain = symbol ? this.names.of(symbol) : `${this.names.of(name)}.${axis}`;
      const size =
        value !== undefined && value > 0
          ? value
          : (known.get(symbol || `${name}.${axis}`) ?? plain);
      return axisOf(size);
    });
    const { layout, seeming } = this.given;
    const isFloat = isFloatType(element);
    if (this.#machine) {
      const dims = axes.map((axis) => Number(sizeOf(axis)));
      const tensor = this.#machine.input(name, dims, isFloat, this.carried.has(name));
      this.#scope.set(name, { tensor });
      return;
    }
    if (seeming?.has(name)) {
      for (const [axis, { value = 0 }] of shape.dims.entries()) {
        if (value > 0) axes[axis]![0]?.become('features');
      }
    } else if (layout && (axes.length > 2 || !isFloat)) {
      for (const [axis, atoms] of axes.entries()) atoms[0]?.become(layout[axis] ?? 'features');
    }
    const input = new GraphInput(name, axes, isFloat);
    this.inputs.set(name, input);
    const flow = { source: name, rows: input.rows, axes, held: axes.flat(), input };
    this.#scope.set(name, { flow });
  }

  /** Runs the nodes of a graph; `scope` has what they may read. */
  #run(graph: GraphProto, scope: Scope, path: Path): void {
    for (const proto of graph.nodes) this.#runNode(proto, scope, path);
    for (const { name = '' } of graph.outputs) {
      if (!scope.get(name)) damaged(`no node gives the output "${shorten(name)}"`);
    }
    const whole = recognised(graph, this.#known(scope), this.given.opset);
    if (whole) this.whole.set(keyOf(path), whole);
  }

  #runNode(proto: NodeProto, scope: Scope, path: Path): void {
    const node = new Node(proto, this.given.opset);
    const inputs = node.inputs.map((name) => {
      if (name === '') return undefined;
      return (
        scope.get(name) ??
        damaged(`"${shorten(node.name)}" reads "${shorten(name)}" before it is there`)
      );
    });
    while (inputs.length && inputs.at(-1) === undefined) inputs.pop();
    let made: readonly (Value | undefined)[] = [];
    if (inputs.some((value) => value && 'unknown' in value)) {
      made = node.outputs.map(() => UNKNOWN);
    } else {
      try {
        made = this.#results(proto, node, inputs, scope, path);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        const { type } = node;
        const isOpen = type === 'If' || error.isOpen;
        this.isForeign ||= !isOpen && !Object.hasOwn(PROGRAM, type);
        this.problems.set(node.outputs.find((name) => name !== '') ?? '', [error.message]);
        made = node.outputs.map(() => UNKNOWN);
      }
    }
    for (const [k, name] of node.outputs.entries()) {
      if (name === '') continue;
      scope.set(name, made[k] ?? UNKNOWN);
    }
  }

  #results(
    proto: NodeProto,
    node: Node,
    inputs: readonly (Value | undefined)[],
    scope: Scope,
    path: Path,
  ): readonly (Value | undefined)[] {
    try {
      return this.#made(proto, node, inputs, scope, path);
    } catch (error) {
      if (error instanceof OpenSize) node.refuseOpen(error.size);
      throw error;
    }
  }

  #made(
    proto: NodeProto,
    node: Node,
    inputs: readonly (Value | undefined)[],
    scope: Scope,
    path: Path,
  ): readonly (Value | undefined)[] {
    const { domain = '' } = proto;
    if (domain !== '' && domain !== 'ai.onnx') {
      node.refuse(`operators of "${shorten(domain)}" are not supported`);
    }
    if (node.type === 'If') return this.#branch(node, inputs, scope, path);
    if (node.type === 'Loop' || node.type === 'Scan') return this.#loop(node, inputs, scope, path);
    if (node.type === 'Constant') return [{ constant: this.#constant(node) }];
    const machine = this.#machine;
    const step = machine && Object.hasOwn(PROGRAM, node.type) ? PROGRAM[node.type] : undefined;
    const isKnown = inputs.every((value) => !value || 'constant' in value);
    const operator = Object.hasOwn(OPERATORS, node.type) ? OPERATORS[node.type] : undefined;
    if (machine ? !step && !(isKnown && operator) : !operator) {
      node.refuse('the operator is not supported');
    }
    const least = VARIADIC.has(node.type) ? inputs.length : (LEAST.get(node.type) ?? 1);
    for (let k = 0; k < Math.max(least, 1); k++) {
      if (!inputs[k]) node.refuse(`it has no input ${k}`);
    }
    const call = { node, inputs, graph: this };
    if (!machine) {
      for (const value of inputs) {
        const part = value && 'flow' in value && !PARTS.has(node.type) && partOf(value.flow);
        if (part) node.refuse(part);
      }
      return operator!(call);
    }
    try {
      if (isKnown && operator) return operator(call);
    } catch (error) {
      // What cannot be folded is computed when the model runs.
      if (!(error instanceof Refusal) || !step) throw error;
    }
    return step!(call, machine);
  }

  /** A branch whose condition is known takes the place of its `If`. */
  #branch(
    node: Node,
    [condition]: readonly (Value | undefined)[],
    scope: Scope,
    path: Path,
  ): Value[] {
    const number = condition && 'constant' in condition && numbersOf(condition.constant)?.[0];
    if (typeof number !== 'number') {
      node.refuse(
        'its condition depends on the inputs or on unknown sizes: pass { dims } or { set } to fix them',
      );
    }
    if (path.length >= MAX_DEPTH) node.refuse(`branches are nested more than ${MAX_DEPTH} deep`);
    const bytes = node.get(number ? 'then_branch' : 'else_branch')?.graph;
    if (!bytes) node.refuse('it has no branch');
    const inside = [...path, node.outputs[0] ?? ''];
    const given = this.given.branches.of(bytes);
    const graph = this.given.whole.get(keyOf(inside)) ?? given;
    const inner = this.#scopeOf(graph, new Map(), scope);
    this.#run(graph, inner, inside);
    return graph.outputs.map(({ name = '' }) => inner.get(name)!);
  }

  /** A layer takes the place of a loop over its steps. */
  #loop(
    node: Node,
    inputs: readonly (Value | undefined)[],
    scope: Scope,
    path: Path,
  ): readonly (Value | undefined)[] {
    const machine = this.#machine;
    const bytes = node.get('body')?.graph;
    const body = bytes && this.given.branches.of(bytes);
    return loop(node, inputs, body, {
      graph: this,
      valueOf: (name) => scope.get(name),
      fold: (proto, values) => {
        try {
          return this.#results(proto, new Node(proto, this.given.opset), values, scope, path);
        } catch (error) {
          if (error instanceof Refusal) return [];
          throw error;
        }
      },
      isRead: (name) => this.#uses.has(name),
      recurrent: (call) => {
        const { type } = call.node;
        return machine ? PROGRAM[type]!(call, machine) : OPERATORS[type]!(call);
      },
    });
  }

  #constant(node: Node): Constant {
    const tensor = node.get('value')?.tensor;
    if (tensor) return constantOf(tensor, this.given.data);
    const list = node.get('value_floats')?.floats ?? node.get('value_ints')?.ints;
    if (list) {
      const isFloat = node.has('value_floats');
      const data = isFloat ? Float32Array.from(list) : Float64Array.from(list);
      return { dims: [list.length], data, isFloat };
    }
    if (node.has('value_float')) return scalar(node.float('value_float', 0), true);
    if (node.has('value_int')) return scalar(node.int('value_int', 0));
    return node.refuse('it has no value that is supported');
  }
}

/** Throws all problems of the nodes that outputs depend on. */
export function refuseProblems(graph: GraphProto, read: Graph): void {
  const { problems } = read;
  if (!problems.size) return;
  const makers = new Map<string, NodeProto>();
  for (const node of graph.nodes) for (const name of node.outputs) makers.set(name, node);
  const seen = new Set(graph.outputs.map(({ name = '' }) => name));
  // A set gives those too that are added while it is read.
  for (const name of seen) {
    const { inputs = [], outputs = [] } = makers.get(name) ?? {};
    // A problem is kept by the first output of its node.
    for (const other of [...inputs, ...outputs]) if (other !== '') seen.add(other);
  }
  const inner = [...problems].filter(([name]) => !makers.has(name) && !seen.has(name));
  const own = [...problems].filter(([name]) => seen.has(name)).concat(inner);
  // What branches read from outside is not followed.
  const isWhole = graph.outputs.every(({ name = '' }) => {
    const value = read.valueOf(name);
    return value && !('unknown' in value);
  });
  const list = (own.length || isWhole ? own : [...problems]).flatMap(([, all]) => all);
  if (!list.length) return;
  const shown = list.slice(0, MAX_PROBLEMS).join('; ');
  const more = list.length > MAX_PROBLEMS ? `; and ${list.length - MAX_PROBLEMS} more` : '';
  throw new GatefoldError('ERR_UNSUPPORTED', `the model cannot be read: ${shown}${more}`);
}
