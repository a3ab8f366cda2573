import { roundUp } from '../base/check.ts';
import type { Fields, Kernels } from '../engine/kernels.ts';
import { int8Operands } from '../engine/int8.ts';
import { NONE, Plan, part } from '../engine/plan.ts';
import type { Descriptor, Slot } from '../engine/plan.ts';
import type { Draw } from '../ops/masks.ts';
import type {
  Bound,
  BoundState,
  Crossing,
  Derived,
  Matrix,
  Node,
  PassSize,
  Places,
  StateSpec,
} from '../ops/op.ts';
import { emptyExtent, raggedExtent, reversal, uniformExtent } from '../ops/pass.ts';
import type { Extent, Stretch } from '../ops/pass.ts';
import { SUM_ROWS } from '../../assembly/shared/tuning.ts';
import { ParametersOf } from './parameters.ts';
import type { Graph } from './graph.ts';
import { passMasked } from './masked.ts';
import type { Store } from './parameters.ts';
import { statePlaces } from './states.ts';
import type { StatePlace } from './states.ts';

/** Extents that a workspace keeps at most. */
const MAX_EXTENTS = 4;

export interface WorkspaceOptions {
  readonly batch: number;
  /** Most steps of one pass, of each sequence of inputs or of all. */
  readonly steps: number | readonly number[];
  /**
   * A vector like the parameters that gradients are added to; the workspace then keeps what the
   * backward pass needs.
   */
  readonly gradients?: Slot;
  /** Most steps of a window, where its passes are over parts of them; default `steps`. */
  readonly windowSteps?: readonly number[];
  /** Bound of the gradient of every gate's sum at every step. */
  readonly gradientLimit?: number;
  /**
   * Whether every step of the last sequence is the last one for now: for streams. All other
   * sequences are whole, and what depends on them alone runs by `begin`.
   */
  readonly everyStep?: boolean;
}

/** The rows of a pass in every grid of the graph, and those that each node reads. */
interface Pass {
  readonly grids: readonly Extent[];
  readonly reads: readonly (readonly Extent[])[];
}

/** The first row of every step, in the engine; of outputs with as many steps it is one. */
interface GridPlace {
  readonly steps: number;
  /** Most rows of a step. */
  readonly batch: number;
  readonly offsets: Slot;
  /** [M]: the row that mirrors each row in its valid prefix, for nodes that read backwards. */
  mirror?: Slot;
}

/** A node with gates [G, H], which `read` gives row by row, in a view until the next row. */
interface GateRows {
  readonly node: Node;
  readonly read: (place: number) => Float32Array;
  readonly extent: Extent;
  /** The row of its own order for each row of the inputs, where that is another one. */
  readonly mirror: Int32Array | undefined;
}

/** Gradients of a source that several nodes read, added to that of its first reader. */
interface Addition {
  /** The node after whose way back it is due. */
  readonly after: number;
  readonly source: number;
  readonly descriptor: Descriptor<'Rows'>;
  readonly from: Matrix;
  readonly width: number;
}

/** What is added to a gradient when all of it is there: sums in float64, or what was put aside. */
interface Gathered {
  readonly isWide: boolean;
  readonly from: Slot;
  /** Elements. */
  readonly length: number;
  /** Where it is added; once there is memory. */
  readonly to: () => Slot;
}

/** An input in one workspace. */
export interface InputPlace {
  readonly name: string;
  /** [M, I], or tokens [M]. */
  readonly slot: Slot;
  readonly width: number;
  readonly tokens: number | undefined;
  /** Whether it has one row for each sequence. */
  readonly isRow: boolean;
  /** The sequence that it is of. */
  readonly sequence: number;
  /** [M, I padded to four] */
  readonly gradient: Matrix;
}

/** An output in one workspace. */
export interface OutputPlace {
  readonly name: string;
  readonly index: number;
  /** [M, row] */
  readonly slot: Slot;
  /** Elements from row to row, of its gradient too. */
  readonly row: number;
  readonly width: number;
  /** What its backward pass starts from. */
  readonly gradient: Slot;
  /** [T' + 1] i32: the first row of every step. */
  readonly offsets: Slot;
  /** Whether it is one row a sequence. */
  readonly isPooled: boolean;
}

/** Where rows stand in the orders of two sequences of inputs. */
interface OrderPair extends Crossing {
  readonly own: number;
  readonly other: number;
}

/** What a workspace takes, before there is memory for it. */
interface Layout {
  readonly plan: Plan;
  readonly inputs: readonly InputPlace[];
  readonly staging: Slot;
  readonly copy: Descriptor<'Rows'>;
  readonly sorting: Sorting;
  readonly grids: readonly GridPlace[];
  readonly crossings: readonly OrderPair[];
  readonly bound: readonly Bound[];
  /** In the order in which nodes go back; those of one node in the order of their readers. */
  readonly additions: readonly Addition[];
  readonly gathered: readonly Gathered[];
}

/** Rows in the engine: their distance and width in numbers. */
export interface Rows {
  readonly slot: Slot;
  readonly row: number;
  readonly width: number;
}

/** How rows get into the order of a pass, and where that is written. */
interface Sorting {
  readonly descriptor: Descriptor<'Sorting'>;
  readonly offsets: Slot;
  readonly order: Slot;
}

/** What a node stands among in one workspace. */
interface Surroundings {
  readonly plan: Plan;
  readonly gradients: Slot | undefined;
  /** Takes what nodes gather beside them. */
  readonly gathered: Gathered[];
  /** Whether a window has more rows than a block of a sum. */
  readonly isLong: boolean;
  readonly grid: GridPlace;
  readonly outputGrid: GridPlace;
  /** Those of its sources. */
  readonly gridsRead: readonly GridPlace[];
  readonly derived: Derived | undefined;
  readonly inputs: readonly Matrix[];
  readonly targets: readonly Matrix[];
  readonly masked: readonly (Slot | undefined)[];
  readonly stateOf: (k: number, role: StateSpec['role']) => BoundState;
  readonly crossing: (k: number) => Crossing;
  readonly product: Descriptor<'Product'>;
  readonly operands: Fields<'Int8Product'>;
  readonly gradientLimit: number;
  readonly stream: number;
}

/** Where a node finds what is not its own. */
class NodePlaces extends ParametersOf implements Places {
  readonly derived: Derived | undefined;
  readonly offsets: Slot;
  readonly outputOffsets: Slot;
  readonly product: Descriptor<'Product'>;
  readonly operands: Fields<'Int8Product'>;
  readonly gradientLimit: number;
  readonly stream: number;
  readonly #around: Surroundings;

  constructor(store: Store, node: Node, around: Surroundings) {
    super(store, node);
    this.#around = around;
    this.derived = around.derived;
    this.offsets = around.grid.offsets;
    this.outputOffsets = around.outputGrid.offsets;
    this.product = around.product;
    this.operands = around.operands;
    this.gradientLimit = around.gradientLimit;
    this.stream = around.stream;
  }

  input(k: number): Matrix {
    return this.#around.inputs[k]!;
  }

  gradientOfInput(k: number): Matrix {
    return this.#around.targets[k]!;
  }

  gradient(role: string): Slot {
    return this.gradientOf(this.node, role);
  }

  gradientOf(node: Node, role: string): Slot {
    return this.store.slot(node, role, this.#around.gradients);
  }

  sums(role: string): Slot {
    return this.#gather(role, true);
  }

  rest(role: string, own?: Slot): Slot {
    return this.#around.isLong ? this.#gather(role, false, own) : NONE;
  }

  #gather(role: string, isWide: boolean, own?: Slot): Slot {
    const length = roundUp(own?.length ?? this.store.lengthOf(this.node, role), 4);
    const from = this.#around.plan.reserve(isWide ? 2 * length : length);
    this.#around.gathered.push({ isWide, from, length, to: () => own ?? this.gradient(role) });
    return from;
  }

  masked(k: number): Slot | undefined {
    return this.#around.masked[k];
  }

  offsetsOf(k: number): Slot {
    return this.#around.gridsRead[k]!.offsets;
  }

  stepsOf(k: number): number {
    return this.#around.gridsRead[k]!.steps;
  }

  stateOf(k: number, role: StateSpec['role']): BoundState {
    return this.#around.stateOf(k, role);
  }

  crossing(k: number): Crossing {
    return this.#around.crossing(k);
  }

  mirror(): Slot {
    const { grid, plan } = this.#around;
    return (grid.mirror ??= plan.reserve(grid.steps * grid.batch));
  }
}

/** Most steps of a pass of each sequence of inputs. */
function mostSteps({ sequences }: Graph, steps: number | readonly number[]): readonly number[] {
  return typeof steps === 'number' ? sequences.map(() => steps) : steps;
}

/** Places for the rows of all grids. */
function layGrids(plan: Plan, graph: Graph, options: WorkspaceOptions): GridPlace[] {
  const { batch, steps, everyStep } = options;
  const counts = graph.gridSteps(mostSteps(graph, steps));
  const grids: GridPlace[] = [];
  graph.grids.forEach(({ before, resample, outer }, index) => {
    if (everyStep && isSame(graph, index)) return void grids.push(grids[before]!);
    const most = counts[index]!;
    const around = outer === undefined ? undefined : grids[outer]!;
    const rows = around ? around.batch * around.steps : batch;
    const own = resample?.pools ? 1 : most;
    grids.push({ steps: own, batch: rows, offsets: plan.reserve(own + 1) });
  });
  return grids;
}

/** Whether a grid of a stream is that of every step, each of which is the last one for now. */
function isSame({ grids, sequences }: Graph, index: number): boolean {
  const { resample, sequence } = grids[index]!;
  return resample?.pools === true && sequence === sequences.length - 1;
}

/** Plans the buffers of all nodes. */
function layOut(store: Store, options: WorkspaceOptions): Layout {
  const { batch, gradients, gradientLimit = Infinity, everyStep } = options;
  const plan = new Plan();
  const { graph } = store;
  const { nodes, sources: sourcesOf, gridOf } = graph;
  const training = gradients !== undefined;
  const grids = layGrids(plan, graph, options);
  const rowsOf = (grid: number): number => grids[grid]!.steps * grids[grid]!.batch;
  const { windowSteps } = options;
  const whole = windowSteps
    ? layGrids(new Plan(), graph, { ...options, steps: windowSteps })
    : grids;
  const isLong = whole.some((grid) => grid.steps * grid.batch > SUM_ROWS);
  const gathered: Gathered[] = [];
  const inputs = graph.inputs.map(({ name, width, tokens, grid }): InputPlace => {
    const row = roundUp(width, 4);
    const { resample, sequence } = graph.grids[grid]!;
    const slot = plan.reserve(rowsOf(grid) * width);
    const gradient = { slot: training ? plan.reserve(rowsOf(grid) * row) : NONE, row };
    return { name, slot, width, tokens, isRow: !!resample, sequence, gradient };
  });
  const staging = plan.reserve(
    Math.max(
      ...graph.inputs.map(({ grid, width }) => rowsOf(grid) * width),
      ...graph.outputs.map(({ node, width }) => rowsOf(gridOf[node]!) * width),
    ),
  );
  const product = plan.descriptor('Product');
  const most = Math.max(...grids.map(({ steps, batch: rows }) => steps * rows));
  const operands = store.int8 ? reserveInt8(plan, nodes, most) : {};
  const bound: Bound[] = [];
  const outputs = (source: number): Matrix => {
    if (source >= 0) return bound[source]!.output;
    const { slot, width } = inputs[-1 - source]!;
    return { slot, row: width };
  };
  const gradientOf = (source: number): Matrix =>
    source < 0 ? inputs[-1 - source]!.gradient : gradientRows(bound[source]!);
  const crossings: OrderPair[] = [];
  const crossing = (own: number, other: number): Crossing => {
    if (own === other) return { there: NONE, back: NONE };
    const known = crossings.find((pair) => pair.own === own && pair.other === other);
    const made = known ?? { own, other, there: plan.reserve(batch), back: plan.reserve(batch) };
    if (!known) crossings.push(made);
    return made;
  };
  const additions: Addition[] = [];
  const firstReaders = new Map<number, number>();
  nodes.forEach((node, index) => {
    const sources = sourcesOf[index]!;
    const gridsOf = sources.map((source) => graph.gridOfSource(source));
    const grid = grids[gridsOf[0]!]!;
    const targets = sources.map((source, k): Matrix => {
      const first = firstReaders.get(source);
      if (first === undefined) firstReaders.set(source, index);
      if (first === undefined || !training) return gradientOf(source);
      // Of several readers the first writes the gradient of what they read, and the others add.
      const row = roundUp(source < 0 ? inputs[-1 - source]!.width : nodes[source]!.outputs, 4);
      const from = { slot: plan.reserve(rowsOf(gridsOf[k]!) * row), row };
      const descriptor = plan.descriptor('Rows');
      additions.push({ after: first, source, descriptor, from, width: row });
      return from;
    });
    const masked = sources.map((source) => bound[source]?.masked);
    const sequenceOf = (place: number): number => graph.grids[place]!.sequence;
    const isInside = graph.isInside[index]!;
    const places = new NodePlaces(store, node, {
      plan,
      gradients,
      gathered,
      isLong,
      grid,
      outputGrid: grids[gridOf[index]!]!,
      gridsRead: gridsOf.map((place) => grids[place]!),
      derived: store.derived(node),
      inputs: sources.map(outputs),
      targets,
      masked,
      stateOf: (k, role) => {
        const source = sources[k]!;
        const place = nodes[source]!.states.findIndex((state) => state.role === role);
        return bound[source]!.states![place]!;
      },
      crossing: (k) => crossing(sequenceOf(gridOf[index]!), sequenceOf(gridsOf[k]!)),
      product,
      operands,
      gradientLimit,
      stream: 4 * index,
    });
    // What is inside of a step is whole.
    const isStreamed = everyStep && !isInside && graph.isStreamed[index];
    const mode = training ? 'train' : isStreamed ? 'stream' : 'infer';
    const size: PassSize = { batch: grid.batch, steps: grid.steps, mode };
    const own = node.reserve(plan, places, size);
    const passes = node.isRowwise === true && !own.masked;
    const rows = size.batch * size.steps;
    const alike = masked.slice(0, node.aside);
    bound.push(passes ? passMasked(own, alike, plan, store.kernels, rows) : own);
  });
  const copy = plan.descriptor('Rows');
  const sorting = {
    descriptor: plan.descriptor('Sorting'),
    offsets: plan.reserve(Math.max(...grids.map(({ steps }) => steps)) + 1),
    order: plan.reserve(batch),
  };
  additions.sort((a, b) => b.after - a.after);
  return { plan, inputs, staging, copy, sorting, grids, crossings, bound, additions, gathered };
}

/** The rows that the gradient of a node's outputs has. */
function gradientRows({ gradient, gradientRow, output }: Bound): Matrix {
  return { slot: gradient, row: gradientRow ?? output.row };
}

/** Steps of a sequence of inputs in a call. */
function stepsIn({ total, others = [] }: Stretch, sequence: number): number {
  return others[sequence] ?? total;
}

/** Memory for the quantised activations of any product. */
function reserveInt8(plan: Plan, nodes: readonly Node[], rows: number): Fields<'Int8Product'> {
  const depths = nodes.flatMap(({ inputs, states }) => [inputs, ...states.map((s) => s.width)]);
  const { length, ...sizes } = int8Operands(rows, Math.max(...depths));
  return { ...sizes, operands: plan.reserve(length) };
}

/**
 * Memory for passes over a model: the buffers and descriptors of every node, for a batch and a
 * number of steps fixed at creation.
 */
export class Workspace {
  readonly batch: number;
  /** Most steps of a pass, of the last sequence of inputs and of all. */
  readonly steps: number;
  readonly room: readonly number[];
  /** Of the engine's memory. */
  readonly bytes: number;
  readonly inputs: readonly InputPlace[];
  readonly outputs: readonly OutputPlace[];
  /** Dense outputs or inputs [T, B, *], on their way out or in another order. */
  readonly staging: Slot;
  readonly #copy: Descriptor<'Rows'>;
  readonly #sorting: Sorting;
  readonly #grids: readonly GridPlace[];
  readonly #crossings: readonly OrderPair[];
  readonly #bound: readonly Bound[];
  readonly #additions: readonly Addition[];
  readonly #gathered: readonly (Gathered & { readonly target: number })[];
  /** Whether there is something that `finish` has not taken. */
  #isGathering = false;
  readonly #store: Store;
  readonly #graph: Graph;
  readonly #nodes: readonly Node[];
  readonly #kernels: Kernels;
  readonly #everyStep: boolean;
  readonly #release: () => void;
  /** Nodes up to the last one that has states. */
  readonly #statesAt: number;
  /** Nodes that run at every pass; of a stream those that depend on its steps. */
  readonly #runs: readonly number[];
  #pass: Pass;
  /** Passes of whole batches by their steps, the last few: a stream goes back and forth. */
  readonly #states = new Map<number, readonly StatePlace[]>();
  readonly #uniform = new Map<number, Pass>();

  constructor(store: Store, options: WorkspaceOptions, purpose: string, owner: object) {
    const { batch, everyStep = false } = options;
    const { kernels, graph } = store;
    const layout = layOut(store, options);
    const { plan, bound, additions, grids } = layout;
    const most = mostSteps(graph, options.steps);
    this.batch = batch;
    this.steps = most.at(-1)!;
    this.room = most;
    this.inputs = layout.inputs;
    this.staging = layout.staging;
    this.#copy = layout.copy;
    this.#sorting = layout.sorting;
    this.#grids = grids;
    this.#crossings = layout.crossings;
    this.#bound = bound;
    this.#additions = additions;
    this.#store = store;
    this.#graph = graph;
    this.#nodes = graph.nodes;
    this.#kernels = kernels;
    this.#everyStep = everyStep;
    this.#statesAt = graph.nodes.reduce((end, { states }, i) => (states.length ? i + 1 : end), 0);
    this.#runs = [...bound.keys()].filter((index) => !everyStep || graph.isStreamed[index]);
    const block = kernels.arena.allocate(plan.bytes, purpose, owner);
    plan.place(block);
    this.bytes = block.bytes;
    this.#release = () => kernels.arena.free(block);
    this.outputs = graph.outputs.map(({ name, node, width, pools }, index) => {
      const { output, gradient } = bound[node]!;
      const { offsets } = grids[graph.gridOf[node]!]!;
      return { name, index, ...output, width, gradient, offsets, isPooled: pools && !everyStep };
    });
    try {
      for (const [index, node] of bound.entries()) {
        node.describe?.();
        // Nobody writes the initial states of what is within a step.
        if (graph.isInside[index]) for (const { values } of node.states ?? []) kernels.zero(values);
      }
      for (const addition of additions) this.#describe(addition);
      this.#gathered = layout.gathered.map((own) => ({ ...own, target: own.to().address }));
      this.#pass = this.#passOf(most.map((count) => uniformExtent(count, batch)));
      this.#arrange(this.#pass, /* isNew */ true);
      this.prepare();
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  #describe({ source, descriptor, from, width }: Addition): void {
    const to = source < 0 ? this.inputs[-1 - source]!.gradient : gradientRows(this.#bound[source]!);
    this.#kernels.write(descriptor, {
      to: to.slot,
      toRow: to.row * 4,
      from: from.slot,
      fromRow: from.row * 4,
      width: width * 4,
    });
  }

  /** Bytes that such a workspace would take. */
  static bytes(store: Store, options: WorkspaceOptions): number {
    return layOut(store, options).plan.bytes;
  }

  dispose(): void {
    this.#release();
  }

  /** What the current pass goes over: the rows of the last sequence of inputs. */
  get extent(): Extent {
    return this.extentOf(this.#graph.sequences.length - 1);
  }

  /** The rows of a sequence of inputs. */
  extentOf(sequence: number): Extent {
    return this.#pass.grids[sequence]!;
  }

  /** The caller's row at each place of a state's node; `undefined` where it is the same. */
  readonly orderOf = ({ sequence }: StatePlace): Int32Array | undefined =>
    this.extentOf(sequence).order;

  /** The rows of an output. */
  outputExtent({ index }: OutputPlace): Extent {
    return this.#pass.grids[this.#graph.gridOf[this.#graph.outputs[index]!.node]!]!;
  }

  /** The rows in every grid of a pass over these rows of each sequence of inputs. */
  #passOf(sequences: readonly Extent[]): Pass {
    const graph = this.#graph;
    const grids: Extent[] = [];
    graph.grids.forEach(({ before, resample, sequence, outer }, index) => {
      if (!resample) grids.push(sequences[sequence]!);
      else if (this.#everyStep && isSame(graph, index)) grids.push(grids[before]!);
      else grids.push(resample.extent(grids[before]!, outer !== undefined));
    });
    const reads = graph.sources.map((sources) =>
      sources.map((source) => grids[graph.gridOfSource(source)]!),
    );
    return { grids, reads };
  }

  /** Prepares for a pass: which rows there are at which step of each node. */
  #arrange(pass: Pass, isNew = false): void {
    // The offsets of whole batches are written once for all numbers of steps, but within a step.
    const { grids, reads } = pass;
    const isWhole = grids.every(({ order }) => !order);
    const wasWhole = this.#pass.grids.every(({ order }) => !order);
    const isWritten = isNew || !isWhole || !wasWhole;
    const whole = isWhole && isWritten ? this.#passOf(this.#mostRows()) : pass;
    for (let k = 0; k < this.#grids.length; k++) {
      const grid = this.#grids[k]!;
      if (this.#grids.indexOf(grid) < k) continue;
      const isInside = this.#graph.grids[k]!.outer !== undefined;
      if (isWritten || isInside) {
        this.#kernels.integers(grid.offsets).set((isInside ? pass : whole).grids[k]!.offsets);
      }
      if (grid.mirror) this.#kernels.integers(grid.mirror).set(reversal(grids[k]!));
    }
    for (const pair of this.#crossings) this.#cross(pair, pass);
    this.#pass = pass;
    for (let i = 0; i < this.#bound.length; i++) {
      this.#bound[i]!.arrange?.(reads[i]![0]!, grids[this.#graph.gridOf[i]!]!, reads[i]!);
    }
    for (let k = 0; k < this.#additions.length; k++) {
      const { source, descriptor } = this.#additions[k]!;
      const { rows } = grids[this.#graph.gridOfSource(source)]!;
      this.#kernels.set(descriptor, 'rows', rows);
    }
  }

  /** All rows of as many steps as there is room for. */
  #mostRows(): Extent[] {
    return this.#graph.sequences.map((_, k) => uniformExtent(this.#grids[k]!.steps, this.batch));
  }

  /** Writes where rows stand in the orders of two sequences. */
  #cross({ own, other, there, back }: OrderPair, pass: Pass): void {
    const [mine, others] = [own, other].map((sequence) => {
      const { order } = pass.grids[sequence]!;
      return order ?? Int32Array.from({ length: this.batch }, (_, row) => row);
    }) as [Int32Array, Int32Array];
    const [to, from] = [this.#kernels.integers(there), this.#kernels.integers(back)];
    for (const [place, row] of mine.entries()) {
      const otherPlace = others.indexOf(row);
      to[place] = otherPlace;
      from[otherPlace] = place;
    }
  }

  /** Prepares for a pass over these rows of each sequence of inputs. */
  arrange(sequences: readonly Extent[]): void {
    this.#arrange(this.#passOf(sequences));
  }

  /**
   * The same for steps `first` to `first + steps` of rows of these lengths; false where there is no
   * row. Does nothing while all rows have as many steps as before.
   */
  arrangeLengths(lengths: Int32Array, first: number, steps: number, order?: Int32Array): boolean {
    const { rows, order: before } = this.extent;
    // A row that ended before has no more steps now: then these are not full.
    const isFull = order && lengths[order.at(-1)!]! >= first + steps;
    if (isFull && before === order && rows === steps * this.batch) return true;
    const extent = raggedExtent(lengths, first, steps, order) ?? this.#emptyExtent;
    if (extent) this.arrange([extent]);
    return extent !== undefined;
  }

  /**
   * The same for whole sequences; `lengths` where not all rows have all steps. Does nothing while
   * all rows have the same steps as before.
   */
  arrangeWhole(totals: readonly number[], lengths: readonly (Int32Array | undefined)[]): void {
    const isAsBefore = totals.every((steps, k) => {
      const extent = this.extentOf(k);
      return !lengths[k] && !extent.order && extent.steps === steps;
    });
    if (isAsBefore) return;
    const extents = totals.map((steps, k) => {
      const own = lengths[k];
      if (!own) return uniformExtent(steps, this.batch);
      return raggedExtent(own, 0, steps) ?? emptyExtent(this.batch);
    });
    this.arrange(extents);
  }

  /** No row at all, where outputs stand for whole sequences. */
  get #emptyExtent(): Extent | undefined {
    return this.#graph.pools && !this.#everyStep ? emptyExtent(this.batch) : undefined;
  }

  /** The same for `steps` steps of all rows. Does nothing while that stays the same. */
  arrangeSteps(steps: number): void {
    const { extent } = this;
    if (steps === extent.steps && !extent.order) return;
    let pass = this.#uniform.get(steps);
    if (!pass) {
      if (this.#uniform.size === MAX_EXTENTS) this.#uniform.clear();
      const others = this.#pass.grids.slice(0, this.#graph.sequences.length - 1);
      this.#uniform.set(
        steps,
        (pass = this.#passOf([...others, uniformExtent(steps, this.batch)])),
      );
    }
    this.#arrange(pass);
  }

  /** Where an output of a pass over a stretch of inputs lies in a caller's array. */
  outputStretch(output: OutputPlace, stretch: Stretch): Stretch {
    const extent = this.outputExtent(output);
    if (extent === this.extent) return stretch;
    const { sequence } = this.#graph.outputs[output.index]!;
    const total = this.#graph.stepsOf(stepsIn(stretch, sequence), output.index);
    return { ...stretch, first: 0, total, extent };
  }

  /** Where an input of a pass over a stretch of the last sequence lies in a caller's array. */
  inputStretch(input: number, stretch: Stretch): Stretch {
    const { sequence, isRow } = this.inputs[input]!;
    if (!isRow && sequence === this.#graph.sequences.length - 1) return stretch;
    const extent = this.#pass.grids[this.#graph.inputs[input]!.grid]!;
    return { ...stretch, first: 0, total: isRow ? 1 : stepsIn(stretch, sequence), extent };
  }

  /** Where the states after `step` steps of all rows are; step 0 is the initial state. */
  states(step: number): readonly StatePlace[] {
    const known = this.#states.get(step);
    if (known) return known;
    if (this.#states.size === MAX_EXTENTS) this.#states.clear();
    const places = this.#statesAfter(step);
    this.#states.set(step, places);
    return places;
  }

  #statesAfter(step: number): StatePlace[] {
    const initials: (Slot | undefined)[] = [];
    const places = statePlaces(this.#graph, (spec, k, index) => {
      const { values, initial } = this.#bound[index]!.states![k]!;
      initials.push(initial);
      return part(values, step * this.batch * spec.row);
    });
    return step > 0 ? places : places.map((place, k) => ({ ...place, initial: initials[k] }));
  }

  /**
   * Adds the gradients of initial states to those of the parameters that these are, in layers that
   * nobody gave a state; after `backward`.
   */
  learnInitial(given: object = {}): void {
    for (const [index, { learnInitial }] of this.#bound.entries()) {
      if (!Object.hasOwn(given, this.#nodes[index]!.layer)) learnInitial?.();
    }
  }

  /** Where the last state of every row is, after a pass. */
  lastStates(): readonly StatePlace[] {
    const { batch } = this;
    const { grids } = this.#pass;
    // Without strides and lengths they stand after as many steps in every layer.
    const { steps } = this.extent;
    if (grids.every((grid) => !grid.order && grid.steps === steps)) return this.states(steps);
    return statePlaces(this.#graph, ({ count, row }, k, index) => {
      const { values, last, rowOf } = this.#bound[index]!.states![k]!;
      const extent = this.#inputsOf(index);
      if (!extent.order) return part(values, extent.steps * batch * row);
      const { lengths } = extent;
      // Rows of one length end side by side.
      for (let place = 0, end = 0; place < batch; place = end) {
        const length = lengths[place]!;
        while (end < batch && lengths[end] === length) end++;
        for (let n = 0; n < count; n++) {
          const from = rowOf(extent, place, length, n) * row;
          this.#kernels.copy(last, (n * batch + place) * row, values, from, (end - place) * row);
        }
      }
      return last;
    });
  }

  /** Gradients of the last states before `backward`, of the initial ones after it. */
  get stateGradients(): StatePlace[] {
    return statePlaces(this.#graph, (_, k, index) => this.#bound[index]!.states![k]!.gradient);
  }

  /** The nodes that have gates, with those of the last pass and the rows that they ran over. */
  gateRows(): GateRows[] {
    return this.#nodes.flatMap((node, i) => {
      const read = this.#bound[i]!.gates;
      const extent = this.#inputsOf(i);
      return read && !this.#graph.isInside[i]
        ? [{ node, read, extent, mirror: node.isReverse ? reversal(extent) : undefined }]
        : [];
    });
  }

  /** The rows of the inputs of a node in the current pass. */
  #inputsOf(index: number): Extent {
    return this.#pass.reads[index]![0]!;
  }

  /** Brings `rows` rows of `width` elements, `row` apart, side by side to `staging`. */
  readonly copyRows = (from: Slot, row: number, width: number, rows: number): void => {
    const fields = { from, fromRow: row * 4, toRow: width * 4, width: width * 4, rows };
    this.#kernels.write(this.#copy, { to: this.staging, ...fields });
    this.#kernels.run.rows_gather(this.#copy.address);
  };

  /**
   * Brings rows of `staging`, which lie as a caller has them, to their places in a pass; or back,
   * and zeros for rows that are not there.
   */
  sortRows({ slot, row, width }: Rows, { batchFirst, extent }: Stretch, isBack: boolean): void {
    const kernels = this.#kernels;
    const { descriptor, offsets, order } = this.#sorting;
    const bytes = width * 4;
    const { steps } = extent;
    kernels.integers(offsets).set(extent.offsets);
    if (extent.order) kernels.integers(order).set(extent.order);
    kernels.write(descriptor, {
      steps,
      places: extent.lengths.length,
      width,
      row: row * 4,
      stepBytes: batchFirst ? bytes : bytes * this.batch,
      sequenceBytes: batchFirst ? bytes * steps : bytes,
      offsets,
      order: extent.order ? order : NONE,
      sorted: slot,
      given: this.staging,
    });
    kernels.run.rows_sort(descriptor.address, isBack);
  }

  /** Derives what the passes need from the parameters; to be called after they have changed. */
  prepare(): void {
    this.#store.prepare();
    for (const node of this.#bound) node.prepare?.();
  }

  /** Runs what depends on whole sequences alone, before the first step of a stream. */
  begin(): void {
    for (const [index, node] of this.#bound.entries()) {
      if (!this.#runs.includes(index)) node.forward();
      else node.begin?.();
    }
  }

  /**
   * Runs the arranged rows from the inputs and initial states in place, or so far that all states
   * are there. Allocates nothing.
   */
  forward(statesOnly = false): void {
    const end = statesOnly ? this.#statesAt : this.#bound.length;
    for (let k = 0; k < this.#runs.length; k++) {
      const index = this.#runs[k]!;
      if (index >= end) return;
      const node = this.#bound[index]!;
      if (!this.#everyStep) node.begin?.();
      node.forward();
    }
  }

  /**
   * Draws the masks of the next pass; without a draw nothing is masked. To be called after
   * `arrange`.
   */
  mask(draw?: Draw): void {
    this.#bound.forEach((node, i) => {
      node.mask?.(this.#inputsOf(i), draw);
    });
  }

  /** Whether `backward` measures the gradients of the states, for `flow`. */
  measure(wanted: boolean): void {
    for (const node of this.#bound) node.measure?.(wanted);
  }

  /**
   * The norms [T, 2] of dL/dh and dL/dc of every step of each node that measures them, in its own
   * order, after a measured `backward`.
   */
  flow(): { node: Node; norms: Float64Array }[] {
    return this.#bound.flatMap(({ norms }, i) => {
      if (!norms || this.#graph.isInside[i]) return [];
      const values = this.#kernels.doubles(norms, 2 * this.#inputsOf(i).steps);
      return [{ node: this.#nodes[i]!, norms: values }];
    });
  }

  /** Goes back over the last `forward`, from the gradients of outputs and last states in place. */
  backward(wantsInput: boolean): void {
    this.#isGathering = true;
    let next = 0;
    for (let index = this.#bound.length - 1; index >= 0; index--) {
      const isWanted = (source: number): boolean => wantsInput || source >= 0;
      const node = this.#bound[index]!;
      // No state within a step goes on to another pass.
      if (this.#graph.isInside[index]) {
        for (const { gradient } of node.states ?? []) this.#kernels.zero(gradient);
      }
      node.backward?.(this.#graph.sources[index]!.some(isWanted));
      for (; next < this.#additions.length && this.#additions[next]!.after === index; next++) {
        const { source, descriptor } = this.#additions[next]!;
        if (isWanted(source)) this.#kernels.run.rows_add(descriptor.address);
      }
    }
  }

  /**
   * Adds what nodes have gathered to the gradients of their parameters, and what tied weights have
   * to those of their tables; to be called when all of a gradient is there.
   */
  finish(): void {
    const { run } = this.#kernels;
    this.#isGathering = false;
    for (const { isWide, target, from, length } of this.#gathered) {
      if (isWide) run.sums_take(target, from.address, length);
      else run.rest_take(target, from.address, length);
    }
    for (const node of this.#bound) node.finish?.();
  }

  /** Moves the parameters that no optimizer changes, after an update of the others. */
  settle(): void {
    for (const node of this.#bound) node.settle?.();
  }

  /** Forgets how; to be called when the gradients are set to zero. */
  discard(): void {
    // A pass that did not come to its end.
    if (this.#isGathering) for (const { from } of this.#gathered) this.#kernels.zero(from);
    this.#isGathering = false;
    for (const node of this.#bound) node.discard?.();
  }
}
