/**
 * The contract for layers: all that the rest of the house knows of a kind of layer. `graph/` places
 * nodes, hands them memory and calls them; it knows no kind by name.
 */

import type { Fields, Kernels } from '../engine/kernels.ts';
import type { Panels } from '../engine/panels.ts';
import type { Descriptor, Plan, Slot } from '../engine/plan.ts';
import type { Draw } from './masks.ts';
import type { OptionTable } from './options.ts';
import type { Extent } from './pass.ts';

/** A kind of layer. `Spec` is what a description gives, `Complete` the same with every default. */
export interface Op<Spec, Complete> {
  readonly type: string;
  /** Whether it reads any number of layers, rather than one. */
  readonly isJoin?: boolean;
  /** Options in the order in which a completed description has them, after `type` and `name`. */
  readonly options: OptionTable;
  /** Checks what no single option tells, and fills in what depends on other layers. */
  complete(spec: Spec, context: Context): Complete;
  /** Fills in what other layers say, before the options are checked. */
  prepare?(spec: Spec, context: Context): Spec;
  sizes(layer: Complete): Sizes;
  /** Adds the nodes of the layer: one, or one for each direction and sub-layer. */
  lower(layer: Complete, build: GraphBuilder): void;
}

/** What a layer reads and makes at every step. */
export interface Sizes {
  readonly inputs: number;
  readonly outputs: number;
  /** Layers and sub-layers that it stands for, each direction one; default 1. */
  readonly count?: number;
  /** Whether its inputs are tokens. */
  readonly tokens?: boolean;
  /** Of a layer that reads several: what it reads of each. */
  readonly each?: readonly number[];
  /** Of a layer that changes which rows there are: how, one change after the other. */
  readonly resample?: readonly Resample[];
  /** What else it makes, by the name that follows its own and a dot. */
  readonly parts?: Readonly<Record<string, Part>>;
}

/** What other layers may name as `layer.part`. */
export interface Part {
  readonly outputs: number;
  /** Whether it is one row a sequence, rather than a row of every output. */
  readonly isRow?: boolean;
}

/** What is known of some outputs before there is a graph. */
export interface Shape {
  /** Features; `undefined` of inputs that no layer has told yet. */
  readonly features: number | undefined;
  /** Steps of a sequence, where a description fixes them. */
  readonly steps: number | undefined;
  /** Whether there is one row a sequence. */
  readonly isRow: boolean;
  /** Of steps within a step: the rows that they are in. */
  readonly outer?: Shape | undefined;
}

/** Where a layer stands in its description. */
export interface Context {
  /** Path of the layer, for errors: `layers[2]`. */
  readonly at: string;
  readonly name: string;
  /** Outputs of the layer that it reads; `undefined` where these are inputs not yet known. */
  readonly before: number | undefined;
  /** The same of every layer that it reads. */
  readonly widths: readonly (number | undefined)[];
  /** Whether it reads the inputs of the model. */
  readonly readsInputs: boolean;
  /** The layers before it. */
  readonly layers: readonly { readonly type: string; readonly name: string }[];
  /** What it reads first. */
  readonly reads: Shape;
  /** The outputs of a layer before it or of a part; `undefined` where there are none. */
  shapeOf(name: string): Shape | undefined;
}

/** Takes the nodes of a model, in the order in which they run. */
export interface GraphBuilder {
  /** Index of the node whose outputs the next one reads; below 0 for an input of the model. */
  top: number;
  /** The same of all layers that the current one reads. */
  readonly sources: readonly number[];
  add(node: Node): number;
  /** Adds what other layers may name as a part of the current one; the top stays. */
  addPart(part: string, node: Node): number;
  /** Index of the node that a name stands for. */
  find(name: string): number;
  /** The node at an index; `undefined` for an input of the model. */
  at(index: number): Node | undefined;
  /** The first node of a layer. */
  of(layer: string): Node;
}

/** Rows in the engine's memory: the first, and elements from row to row. */
export interface Matrix {
  readonly slot: Slot;
  readonly row: number;
}

/** How the elements of a parameter lie in the engine. */
export type Layout =
  /** Panels of a matrix, or of one for each group; rows [taps, inputs] of a shape [O, I, taps]. */
  | { readonly panels: Panels; readonly groups?: number; readonly taps?: number }
  /** Rows, `row` elements apart. */
  | { readonly row: number };

/** One array of a node, which trains unless it is fixed. */
export interface ParameterSpec {
  /** What the node knows it by. */
  readonly role: string;
  readonly name: string;
  /** Its shape outside of the engine, PyTorch's. */
  readonly shape: readonly number[];
  readonly layout: Layout;
  /** Whether a model with weights of 8 bits keeps it in 8 bits. */
  readonly isInt8?: boolean;
  /** Whether no optimizer changes it: its gradient is zero. */
  readonly isFixed?: boolean;
  /** Least value that it may have. */
  readonly low?: number;
  readonly initial: { readonly pytorch: Initial; readonly keras: Initial };
}

/** How a fresh parameter is drawn. */
export type Initial =
  | { readonly kind: 'uniform'; readonly limit: number }
  | { readonly kind: 'normal' }
  | { readonly kind: 'orthogonal' }
  /** `value` in the elements from `from` to `to`, 0 in the others; all elements where absent. */
  | {
      readonly kind: 'fill';
      readonly value: number;
      readonly from?: number;
      readonly to?: number;
    };

/** What a node keeps from step to step. */
export interface StateSpec {
  readonly role: 'h' | 'c';
  /** States of one sequence: 1, or the steps that a convolution looks back. */
  readonly count: number;
  readonly width: number;
  /** Elements from row to row in the engine. */
  readonly row: number;
  /** What `count` and `width` count, for errors. */
  readonly meaning: readonly [string, string];
  /** Whether another node says what it is before the first step. */
  readonly isFromNode?: boolean;
}

/** A node that changes which rows there are. */
export interface Resample {
  /** Whether every sequence becomes one row. */
  readonly pools: boolean;
  /** Whether every row becomes a sequence of its own. */
  readonly spreads?: boolean;
  /** What `steps` depends on: nodes of the same key make the same rows of the same inputs. */
  readonly key: string;
  /** Steps of the outputs of `steps` steps of inputs. */
  steps(steps: number): number;
  /** @param isWithin whether the outputs are steps within a step. */
  extent(inputs: Extent, isWithin?: boolean): Extent;
}

/** One kernel call of a graph: a layer, one direction of a sub-layer, or the merge of two. */
export interface Node {
  readonly name: string;
  /** The layer of the description that it belongs to. */
  readonly layer: string;
  /** Nodes whose outputs it reads; -1, -2 and so on for the inputs of the model. */
  readonly sources: readonly number[];
  /** The first of its sources that may have other rows than its own; default none. */
  readonly aside?: number;
  /** Whether it runs step by step beside sources that are whole, whatever `noStream` says. */
  readonly streamsBeside?: boolean;
  /** Features of what it reads, of all together where it reads several. */
  readonly inputs: number;
  /** The same of each, where it reads several. */
  readonly widths?: readonly number[];
  readonly outputs: number;
  readonly parameters: readonly ParameterSpec[];
  readonly states: readonly StateSpec[];
  /** How many tokens there are, where its inputs are tokens. */
  readonly tokens?: number;
  /** Whether it needs all steps of a sequence in one pass. */
  readonly isWhole?: boolean;
  /** Whether its last output is that of the first step. */
  readonly isReverse?: boolean;
  /** Of a node that merges two directions, `width` features each: the same merge of other nodes. */
  readonly ways?: {
    readonly width: number;
    merge(layer: string, sources: readonly number[]): Node;
  };
  /** Why it cannot run step by step, and what to do. */
  readonly noStream?: string;
  /** Why it cannot be trained. */
  readonly noTraining?: string;
  /** Why training needs all rows of a window in one pass, and what to do. */
  readonly noSegments?: string;
  /** Whether, outside of training, a row of outputs depends on that row of inputs alone. */
  readonly isRowwise?: boolean;
  readonly resample?: Resample;
  /** Elements that it takes for every row of a pass. */
  readonly rowLength: number;
  /** Gates that `Model.gates` reads, in their order, each of `width` units. */
  readonly gates?: { readonly names: readonly string[]; readonly width: number };
  /** Reserves what it derives from the parameters alone, once for a model. */
  derive?(plan: Plan, at: ParameterPlaces): Derived | undefined;
  /** Reserves what a pass takes. */
  reserve(plan: Plan, at: Places, size: PassSize): Bound;
}

export interface PassSize {
  readonly batch: number;
  /** Most steps of the node's inputs. */
  readonly steps: number;
  /** `stream`: every step is the last one for now. */
  readonly mode: 'infer' | 'stream' | 'train';
}

/** Where a node finds its parameters. */
export interface ParameterPlaces {
  readonly kernels: Kernels;
  parameter(role: string): Slot;
  /** The product of a parameter with weights of 8 bits; `undefined` where it has float32 ones. */
  int8(role: string): Fields<'Int8Product'> | undefined;
  /** A parameter of another node. */
  of(node: Node, role: string): Slot;
  /** Whether the node multiplies its inputs in 8 bits. */
  readonly isInt8: boolean;
}

/** What a model keeps of a node beside its parameters. */
export interface Derived {
  readonly slot: Slot;
  readonly int8?: Fields<'Int8Product'>;
  /** To be called once there is memory. */
  describe?(): void;
  /** To be called after the parameters have changed. */
  prepare?(): void;
  /** To be called after parameters of 8 bits have been written. */
  pack?(): void;
}

/** Where a node finds what is not its own, in one workspace. */
export interface Places extends ParameterPlaces {
  readonly derived: Derived | undefined;
  /** Outputs of source number `k`. */
  input(k: number): Matrix;
  /** Where the gradient of source number `k` goes. */
  gradientOfInput(k: number): Matrix;
  /** Where the gradient of a parameter is added. */
  gradient(role: string): Slot;
  gradientOf(node: Node, role: string): Slot;
  /**
   * Reserves the sums of a gradient in float64, in the order of the parameter, which are added to
   * it when all of it is there.
   */
  sums(role: string): Slot;
  /**
   * Reserves where a gradient is put aside after every block of rows, like the parameter or `own`,
   * to which it is added when all is there; `NONE` where no window has more rows than a block.
   */
  rest(role: string, own?: Slot): Slot;
  /** [T + 1] i32: the first row of every step of the inputs, and of the outputs. */
  readonly offsets: Slot;
  readonly outputOffsets: Slot;
  /** [M] f32: other than 0 in rows of source number `k` that are masked; absent where none is. */
  masked(k: number): Slot | undefined;
  /** The first rows of source number `k`, and its most steps. */
  offsetsOf(k: number): Slot;
  stepsOf(k: number): number;
  /** A state of source number `k`. */
  stateOf(k: number, role: StateSpec['role']): BoundState;
  /** Where rows of the batch stand in the orders of its outputs and of source number `k`. */
  crossing(k: number): Crossing;
  /** [M] i32: the row that mirrors each row of the inputs in its valid prefix. */
  mirror(): Slot;
  /** Scratch of products. */
  readonly product: Descriptor<'Product'>;
  /** Scratch of products with weights of 8 bits. */
  readonly operands: Fields<'Int8Product'>;
  /** Bound of the gradient of every gate's sum. */
  readonly gradientLimit: number;
  /** 4 times the index of the node: the masks of each node are streams of their own. */
  readonly stream: number;
}

/** Places of one order in another, [B] i32; `NONE` where both orders are the same. */
export interface Crossing {
  /** Of each row of the node its place among those of the source. */
  readonly there: Slot;
  /** Of each row of the source its place among those of the node. */
  readonly back: Slot;
}

/** A state of a node in one workspace. */
export interface BoundState {
  /** States after t steps of all rows, [count, B, row], begin `t * batch` rows from its start. */
  readonly values: Slot;
  /** [count, B, row]: the last state of every row, where rows differ in length. */
  readonly last: Slot;
  /** [count, B, row]: gradient of the last state before `backward`, of the initial one after. */
  readonly gradient: Slot;
  /** [count, row]: the state before the first step of every sequence, where it is not zero. */
  readonly initial?: Slot;
  /** Row of `values` with state `k` of the batch's row `place` after `length` steps. */
  rowOf(extent: Extent, place: number, length: number, k: number): number;
}

/** A node in the memory of one workspace. */
export interface Bound {
  readonly output: Matrix;
  /** Gradient of the outputs, in rows as far apart unless it says otherwise. */
  readonly gradient: Slot;
  readonly gradientRow?: number;
  /**
   * [M] f32: other than 0 in rows of its outputs that are masked; absent where none is. A node that
   * works row by row need not say so of what its sources mask.
   */
  readonly masked?: Slot;
  /** One for each `states` of the node. */
  readonly states?: readonly BoundState[];
  /** Writes its descriptors; to be called once, as soon as there is memory. */
  describe?(): void;
  /** Derives what the passes need; to be called after the parameters have changed. */
  prepare?(): void;
  /** Prepares for passes over these rows, and those of each of its sources. */
  arrange?(inputs: Extent, outputs: Extent, sources: readonly Extent[]): void;
  /** Takes its initial states from other nodes: once at the start of a sequence. */
  begin?(): void;
  /** Draws its masks for a pass of training; without a draw nothing is masked. */
  mask?(inputs: Extent, draw: Draw | undefined): void;
  forward(): void;
  /** From the gradient of its outputs to that of its inputs, if `wantsInput`, and parameters. */
  backward?(wantsInput: boolean): void;
  /** Adds the gradient of its initial states to that of the parameters that these are. */
  learnInitial?(): void;
  /** To be called when all of a gradient is there. */
  finish?(): void;
  /** Moves parameters that no optimizer changes, after an update of the others. */
  settle?(): void;
  /** Forgets what `settle` would do; to be called when gradients are set to zero. */
  discard?(): void;
  /** Whether `backward` measures the gradients of its states. */
  measure?(isWanted: boolean): void;
  /** [T, 2] f64: what it measured. */
  readonly norms?: Slot;
  /** The gates [G, H] of a row of the last pass, in a view that lives until the next call. */
  gates?(place: number): Float32Array;
}
