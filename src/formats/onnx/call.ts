/** A node with its inputs, and what an operator may ask of them. */
import type { Builder, Layer } from './builder.ts';
import { elementsOf, isZero } from './constants.ts';
import type { Constant } from './constants.ts';
import type { Dim } from './dims.ts';
import { dimsOf } from './flow.ts';
import type { Flow, GraphInput } from './flow.ts';
import type { Folding } from './fold.ts';
import type { Node } from './node.ts';
import type { TensorProto } from './proto.ts';
import type { Tensor } from './program/tensor.ts';

/** A constant that is the same along axes whose sizes are only known when the model runs. */
export interface Spread {
  /** Its axes that differ from `dims` have size 1. */
  readonly base: Constant;
  readonly dims: readonly Dim[];
}

/** What a name of the graph stands for. */
export type Value =
  | { readonly constant: Constant }
  | { readonly spread: Spread }
  | { readonly flow: Flow }
  /** The same in a program. */
  | { readonly tensor: Tensor }
  /** Something that could not be read, or what follows from it. */
  | { readonly unknown: true };

/** How ONNX' last states are called, and where they come from. */
export interface StateUse {
  readonly layer: string;
  readonly state: 'h' | 'c';
  /** Features of the input that are the state: every `step`th where it is not each. */
  readonly from: number;
  readonly to: number;
  readonly step?: number;
}

/** What nodes share while a graph is read. */
export interface Context extends Folding {
  readonly build: Builder;
  /** Inputs that are initial states, and of which layers. */
  readonly states: Map<string, StateUse[]>;
  /** Inputs that an output of the call before takes the place of. */
  readonly carried: ReadonlySet<string>;
  /** Valid steps of every row: the input that has them, or what they are. */
  lengths: string | readonly number[] | undefined;
  /** Layers that end where the sequences do. */
  readonly ending: Set<string>;
  /** Whether only one node reads a tensor. */
  isReadOnce(name: string): boolean;
  /** A tensor of the file. */
  constantOf(tensor: TensorProto): Constant;
  /** The input that a flow has `width` features of, and which. */
  originOf(
    flow: Flow,
    width: number,
  ): { readonly input: GraphInput; readonly places: readonly number[] } | undefined;
}

/** A node with what it reads. */
export interface Call {
  readonly node: Node;
  readonly inputs: readonly (Value | undefined)[];
  readonly graph: Context;
}

export type Operator = (call: Call) => readonly (Value | undefined)[];

/** The constant that an input is; `undefined` where it is left out. */
export function constantAt({ node, inputs }: Call, k: number, what: string): Constant | undefined {
  const value = inputs[k];
  if (!value) return undefined;
  if ('constant' in value) return value.constant;
  if ('spread' in value && value.spread.base.data.length === 1) return value.spread.base;
  return node.refuse(
    `${what} must be a constant: pass { dims } or { set } to fix what it follows from`,
  );
}

/** Elements of a tensor that take the time of one of a list. */
const LISTED = 4;

/** Whole numbers of an input or, as in earlier versions, of an attribute. */
export function integersOf(call: Call, k: number, name: string): readonly Dim[] | undefined {
  const constant = constantAt(call, k, `its "${name}"`);
  if (!constant) return call.node.ints(name);
  call.graph.take(LISTED * constant.data.length);
  const list = Array.from<Dim>(constant.data as readonly Dim[]);
  const odd = list.find((item) => typeof item === 'number' && !Number.isInteger(item));
  return odd === undefined ? list : call.node.refuse(`its "${name}" has ${odd}, no whole number`);
}

/** The same where no size may have a name. */
export function numbersAt(call: Call, k: number, name: string): readonly number[] | undefined {
  return integersOf(call, k, name)?.map((item) =>
    typeof item === 'number' ? item : unknownSize(call.node, item),
  );
}

/** Numbers of an input that need not be whole. */
export function realsAt(call: Call, k: number, name: string): readonly number[] | undefined {
  const constant = constantAt(call, k, `its "${name}"`);
  return constant && Array.from(elementsOf(constant));
}

export function unknownSize(node: Node, name: Dim): never {
  return node.refuseOpen(name);
}

/** @param least axes that it has to have. */
export function flowAt({ node, inputs }: Call, k: number, least = 0): Flow {
  const value = inputs[k];
  if (value && 'flow' in value) {
    const { length } = value.flow.axes;
    if (length < least) node.refuse(`its input ${k} has ${length} axes, and needs ${least}`);
    return value.flow;
  }
  return node.refuse(
    `its input ${k} is ${value ? 'a constant' : 'missing'}, which is not supported`,
  );
}

/** Whether a value is zeros, of whatever size. */
export function isZeros(value: Value | undefined): boolean {
  const spread = value && 'spread' in value ? value.spread.base : undefined;
  const constant = value && 'constant' in value ? value.constant : spread;
  return constant?.isFloat === true && isZero(constant);
}

export const isConstant = (value: Value | undefined): boolean => !value || 'constant' in value;

/** Sizes of a value; some may have names. */
export function dimsOfValue(value: Value): readonly Dim[] {
  if ('constant' in value) return value.constant.dims;
  if ('spread' in value) return value.spread.dims;
  if ('tensor' in value) return value.tensor.dims;
  return 'flow' in value ? dimsOf(value.flow) : [];
}

/** One value for each kind that it may be of. */
interface Cases {
  constant(constant: Constant): Constant;
  flow(flow: Flow): Flow;
  /** Sizes of a spread, beside those of its base, which `constant` changes. */
  dims?(dims: readonly Dim[]): readonly Dim[];
}

export function byKind({ node, inputs }: Call, cases: Cases): Value[] {
  const [value] = inputs;
  if (!value) return node.refuse('it has no input');
  if ('constant' in value) return [{ constant: cases.constant(value.constant) }];
  if ('flow' in value) return [{ flow: cases.flow(value.flow) }];
  if ('spread' in value && cases.dims) {
    const { base, dims } = value.spread;
    return [{ spread: { base: cases.constant(base), dims: cases.dims(dims) } }];
  }
  return node.refuse('it works on a constant of unknown size, which is not supported');
}

/** A tensor that goes on as it is: layers may still take in what follows. */
export function owned(graph: Context, node: Node, flow: Flow, at = 0): Flow {
  const layer = graph.build.layers.get(flow.source);
  const input = node.inputs[at] ?? '';
  const [output = ''] = node.outputs;
  if (layer && layer.owner === input && graph.isReadOnce(input)) layer.owner = output;
  return flow;
}

/** The layer that gives a flow and that nothing else reads, so that it may take in what follows. */
export function fusable({ graph, node }: Call, k: number, flow: Flow): Layer | undefined {
  const layer = graph.build.layers.get(flow.source);
  const input = node.inputs[k] ?? '';
  return layer && !flow.pad && layer.owner === input && graph.isReadOnce(input) ? layer : undefined;
}

/** Marks a layer as what a node gives, and nothing but that. */
export function giving({ graph, node }: Call, flow: Flow): Value[] {
  const layer = graph.build.layers.get(flow.source);
  if (layer) layer.owner = node.outputs[0] ?? '';
  return [{ flow }];
}

export const pass: Operator = (call) => {
  const [value] = call.inputs;
  if (value && 'flow' in value) owned(call.graph, call.node, value.flow);
  return [value];
};
