import { roundUp } from '../base/check.ts';
import type { Fields, Kernels } from '../engine/kernels.ts';
import { int8Operands } from '../engine/int8.ts';
import { NONE, Plan, part } from '../engine/plan.ts';
import type { Descriptor, Slot } from '../engine/plan.ts';
import type { Draw } from '../ops/masks.ts';
import type { Bound, Derived, Matrix, Node, PassSize, Places } from '../ops/op.ts';
import { emptyExtent, raggedExtent, reversal, uniformExtent } from '../ops/pass.ts';
import type { Extent, Stretch } from '../ops/pass.ts';
import { ParametersOf } from './parameters.ts';
import type { Graph } from './graph.ts';
import type { Store } from './parameters.ts';
import { statePlaces } from './states.ts';
import type { StatePlace } from './states.ts';

/** Extents that a workspace keeps at most. */
const MAX_EXTENTS = 4;

export interface WorkspaceOptions {
  readonly batch: number;
  /** Most steps of one pass. */
  readonly steps: number;
  /**
   * A vector like the parameters that gradients are added to; the workspace then keeps what the
   * backward pass needs.
   */
  readonly gradients?: Slot;
  /** Bound of the gradient of every gate's sum at every step. */
  readonly gradientLimit?: number;
  /** Whether every step is the last one for now: for streams. */
  readonly everyStep?: boolean;
}

/** The rows of a pass in every grid of the graph. */
type Pass = readonly Extent[];

/** The first row of every step, in the engine; of outputs with as many steps it is one. */
interface Grid {
  readonly steps: number;
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

/** What a workspace takes, before there is memory for it. */
interface Layout {
  readonly plan: Plan;
  readonly input: Slot;
  readonly inputGradient: Slot;
  readonly staging: Slot;
  readonly copy: Descriptor<'Rows'>;
  readonly grids: readonly Grid[];
  readonly bound: readonly Bound[];
  /** In the order in which nodes go back; those of one node in the order of their readers. */
  readonly additions: readonly Addition[];
}

/** What a node stands among in one workspace. */
interface Surroundings {
  readonly plan: Plan;
  readonly gradients: Slot | undefined;
  /** Most rows of its inputs. */
  readonly rows: number;
  readonly grid: Grid;
  readonly derived: Derived | undefined;
  readonly inputs: readonly Matrix[];
  readonly targets: readonly Matrix[];
  readonly outputOffsets: Slot;
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
    this.outputOffsets = around.outputOffsets;
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

  mirror(): Slot {
    const { grid, plan, rows } = this.#around;
    return (grid.mirror ??= plan.reserve(rows));
  }
}

/** Plans the buffers of all nodes. */
function layOut(store: Store, options: WorkspaceOptions): Layout {
  const { batch, steps, gradients, gradientLimit = Infinity, everyStep } = options;
  const plan = new Plan();
  const { graph } = store;
  const { nodes, inputs, sources: sourcesOf, gridOf } = graph;
  const training = gradients !== undefined;
  const mode = training ? 'train' : everyStep ? 'stream' : 'infer';
  const rows = steps * batch;
  const inputRow = roundUp(inputs, 4);
  const input = plan.reserve(rows * inputs);
  const inputGradient = training ? plan.reserve(rows * inputRow) : NONE;
  const grids: Grid[] = [];
  for (const grid of graph.grids) {
    const before = grid && grids[grid.before]!;
    if (before && everyStep && grid.resample.pools) grids.push(before);
    else {
      const count = before ? grid.resample.steps(before.steps) : steps;
      grids.push({ steps: count, offsets: plan.reserve(count + 1) });
    }
  }
  const staging = plan.reserve(
    batch * Math.max(steps * inputs, grids[gridOf.at(-1)!]!.steps * graph.outputs),
  );
  const product = plan.descriptor('Product');
  const operands = store.int8 ? reserveInt8(plan, nodes, rows) : {};
  const bound: Bound[] = [];
  const outputs = (source: number): Matrix =>
    source < 0 ? { slot: input, row: inputs } : bound[source]!.output;
  const gradientOf = (source: number): Matrix =>
    source < 0
      ? { slot: inputGradient, row: inputRow }
      : { slot: bound[source]!.gradient, row: bound[source]!.output.row };
  const additions: Addition[] = [];
  const firstReaders = new Map<number, number>();
  nodes.forEach((node, index) => {
    const sources = sourcesOf[index]!;
    const grid = grids[graph.gridBefore(index)]!;
    const targets = sources.map((source): Matrix => {
      const first = firstReaders.get(source);
      if (first === undefined) firstReaders.set(source, index);
      if (first === undefined || !training) return gradientOf(source);
      // Of several readers the first writes the gradient of what they read, and the others add.
      const row = roundUp(source < 0 ? inputs : nodes[source]!.outputs, 4);
      const slot = plan.reserve(grid.steps * batch * row);
      const from = { slot, row };
      const descriptor = plan.descriptor('Rows');
      additions.push({ after: first, source, descriptor, from, width: row });
      return from;
    });
    const places = new NodePlaces(store, node, {
      plan,
      gradients,
      rows: grid.steps * batch,
      grid,
      derived: store.derived(node),
      inputs: sources.map(outputs),
      targets,
      outputOffsets: grids[gridOf[index]!]!.offsets,
      product,
      operands,
      gradientLimit,
      stream: 4 * index,
    });
    const size: PassSize = { batch, steps: grid.steps, mode };
    bound.push(node.reserve(plan, places, size));
  });
  const copy = plan.descriptor('Rows');
  additions.sort((a, b) => b.after - a.after);
  return { plan, input, inputGradient, staging, copy, grids, bound, additions };
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
  readonly steps: number;
  /** Whether its outputs are one row a sequence. */
  readonly pooled: boolean;
  /** Of the engine's memory. */
  readonly bytes: number;
  /** [M, I], or tokens [M]. */
  readonly input: Slot;
  /** [M, I padded to four], gradient of the inputs. */
  readonly inputGradient: Slot;
  /** Dense outputs or inputs [T, B, *], on their way out or in another order. */
  readonly staging: Slot;
  readonly #copy: Descriptor<'Rows'>;
  readonly #grids: readonly Grid[];
  readonly #bound: readonly Bound[];
  readonly #additions: readonly Addition[];
  readonly #store: Store;
  readonly #graph: Graph;
  readonly #nodes: readonly Node[];
  readonly #kernels: Kernels;
  readonly #everyStep: boolean;
  readonly #release: () => void;
  /** Nodes up to the last one that has states. */
  readonly #statesAt: number;
  #pass: Pass;
  /** Passes of whole batches by their steps, the last few: a stream goes back and forth. */
  readonly #uniform = new Map<number, Pass>();

  constructor(store: Store, options: WorkspaceOptions, purpose: string, owner: object) {
    const { batch, steps, everyStep = false } = options;
    const { kernels, graph } = store;
    const layout = layOut(store, options);
    const { plan, bound, additions } = layout;
    this.batch = batch;
    this.steps = steps;
    this.pooled = graph.pools && !everyStep;
    this.input = layout.input;
    this.inputGradient = layout.inputGradient;
    this.staging = layout.staging;
    this.#copy = layout.copy;
    this.#grids = layout.grids;
    this.#bound = bound;
    this.#additions = additions;
    this.#store = store;
    this.#graph = graph;
    this.#nodes = graph.nodes;
    this.#kernels = kernels;
    this.#everyStep = everyStep;
    this.#statesAt = graph.nodes.reduce((end, { states }, i) => (states.length ? i + 1 : end), 0);
    const block = kernels.arena.allocate(plan.bytes, purpose, owner);
    plan.place(block);
    this.bytes = block.bytes;
    this.#release = () => kernels.arena.free(block);
    try {
      for (const node of bound) node.describe?.();
      for (const addition of additions) this.#describe(addition);
      this.#pass = this.#passOf(uniformExtent(steps, batch));
      this.#arrange(this.#pass, /* isNew */ true);
      this.prepare();
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  #describe({ source, descriptor, from, width }: Addition): void {
    const to =
      source < 0
        ? { slot: this.inputGradient, row: roundUp(this.#graph.inputs, 4) }
        : { slot: this.#bound[source]!.gradient, row: this.#bound[source]!.output.row };
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

  /** What the current pass goes over: the rows of its inputs. */
  get extent(): Extent {
    return this.#pass[0]!;
  }

  /** The rows of its outputs. */
  get outputExtent(): Extent {
    return this.#pass[this.#graph.gridOf.at(-1)!]!;
  }

  /** [T' + 1] i32: the first row of every step of the outputs. */
  get outputOffsets(): Slot {
    return this.#grids[this.#graph.gridOf.at(-1)!]!.offsets;
  }

  /** The rows in every grid of a pass over these rows of inputs. */
  #passOf(inputs: Extent): Pass {
    const pass: Extent[] = [];
    for (const grid of this.#graph.grids) {
      const before = grid ? pass[grid.before]! : inputs;
      const isSame = !grid || (this.#everyStep && grid.resample.pools);
      pass.push(isSame ? before : grid.resample.extent(before));
    }
    return pass;
  }

  /** Prepares for a pass: which rows there are at which step of each node. */
  #arrange(pass: Pass, isNew = false): void {
    // The offsets of whole batches are written once for all numbers of steps.
    const isRagged = pass[0]!.order !== undefined;
    const isWritten = isNew || isRagged || this.#pass[0]!.order !== undefined;
    const whole =
      isRagged || !isWritten ? pass : this.#passOf(uniformExtent(this.steps, this.batch));
    for (let k = 0; k < this.#grids.length; k++) {
      const grid = this.#grids[k]!;
      if (this.#grids.indexOf(grid) < k) continue;
      if (isWritten) this.#kernels.integers(grid.offsets).set(whole[k]!.offsets);
      if (grid.mirror) this.#kernels.integers(grid.mirror).set(reversal(pass[k]!));
    }
    this.#pass = pass;
    for (let i = 0; i < this.#bound.length; i++) {
      this.#bound[i]!.arrange?.(this.#inputsOf(i), pass[this.#graph.gridOf[i]!]!);
    }
    for (let k = 0; k < this.#additions.length; k++) {
      const { source, descriptor } = this.#additions[k]!;
      const { rows } = pass[source < 0 ? 0 : this.#graph.gridOf[source]!]!;
      this.#kernels.set(descriptor, 'rows', rows);
    }
  }

  /** Prepares for a pass over the rows of an extent. */
  arrange(extent: Extent): void {
    this.#arrange(this.#passOf(extent));
  }

  /**
   * The same for steps `first` to `first + steps` of rows of these lengths; false where there is no
   * row.
   */
  arrangeLengths(lengths: Int32Array, first: number, steps: number): boolean {
    const empty = this.pooled ? emptyExtent(this.batch) : undefined;
    const extent = raggedExtent(lengths, first, steps) ?? empty;
    if (extent) this.arrange(extent);
    return extent !== undefined;
  }

  /** The same for `steps` steps of all rows. Does nothing while that stays the same. */
  arrangeSteps(steps: number): void {
    const { extent } = this;
    if (steps === extent.steps && !extent.order) return;
    let pass = this.#uniform.get(steps);
    if (!pass) {
      if (this.#uniform.size === MAX_EXTENTS) this.#uniform.clear();
      this.#uniform.set(steps, (pass = this.#passOf(uniformExtent(steps, this.batch))));
    }
    this.#arrange(pass);
  }

  /** The outputs [M, row] of the last node, and the gradient that its backward pass starts from. */
  get output(): Slot {
    return this.#bound.at(-1)!.output.slot;
  }

  /** Elements from row to row of both. */
  get outputRow(): number {
    return this.#bound.at(-1)!.output.row;
  }

  get outputGradient(): Slot {
    return this.#bound.at(-1)!.gradient;
  }

  /** Where the outputs of a pass over a stretch of inputs lie in a caller's array. */
  outputStretch(stretch: Stretch): Stretch {
    const extent = this.outputExtent;
    if (extent === this.extent) return stretch;
    return { ...stretch, first: 0, total: this.#graph.outputSteps(stretch.total), extent };
  }

  /** Where the states after `step` steps of all rows are; step 0 is the initial state. */
  states(step: number): StatePlace[] {
    return statePlaces(this.#nodes, (spec, k, index) => {
      const { values } = this.#bound[index]!.states![k]!;
      return part(values, step * this.batch * spec.row);
    });
  }

  /** Where the last state of every row is, after a pass. */
  lastStates(): StatePlace[] {
    const { batch } = this;
    return statePlaces(this.#nodes, ({ count, row }, k, index) => {
      const { values, last, rowOf } = this.#bound[index]!.states![k]!;
      const extent = this.#inputsOf(index);
      if (!extent.order) return part(values, extent.steps * batch * row);
      for (const [place, length] of extent.lengths.entries()) {
        for (let n = 0; n < count; n++) {
          const from = rowOf(extent, place, length, n) * row;
          this.#kernels.copy(last, (n * batch + place) * row, values, from, row);
        }
      }
      return last;
    });
  }

  /** Gradients of the last states before `backward`, of the initial ones after it. */
  get stateGradients(): StatePlace[] {
    return statePlaces(this.#nodes, (_, k, index) => this.#bound[index]!.states![k]!.gradient);
  }

  /** The nodes that have gates, with those of the last pass and the rows that they ran over. */
  gateRows(): GateRows[] {
    return this.#nodes.flatMap((node, i) => {
      const read = this.#bound[i]!.gates;
      const extent = this.#inputsOf(i);
      return read
        ? [{ node, read, extent, mirror: node.isReverse ? reversal(extent) : undefined }]
        : [];
    });
  }

  /** The rows of the inputs of a node in the current pass. */
  #inputsOf(index: number): Extent {
    return this.#pass[this.#graph.gridBefore(index)]!;
  }

  /** Brings `rows` rows of `width` elements, `row` apart, side by side to `staging`. */
  readonly copyRows = (from: Slot, row: number, width: number, rows: number): void => {
    const fields = { from, fromRow: row * 4, toRow: width * 4, width: width * 4, rows };
    this.#kernels.write(this.#copy, { to: this.staging, ...fields });
    this.#kernels.run.rows_gather(this.#copy.address);
  };

  /** Derives what the passes need from the parameters; to be called after they have changed. */
  prepare(): void {
    this.#store.prepare();
    for (const node of this.#bound) node.prepare?.();
  }

  /**
   * Runs the arranged rows from the inputs and initial states in place, or so far that all states
   * are there. Allocates nothing.
   */
  forward(statesOnly = false): void {
    const end = statesOnly ? this.#statesAt : this.#bound.length;
    for (let i = 0; i < end; i++) this.#bound[i]!.forward();
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
      if (!norms) return [];
      const values = this.#kernels.doubles(norms, 2 * this.#inputsOf(i).steps);
      return [{ node: this.#nodes[i]!, norms: values }];
    });
  }

  /** Goes back over the last `forward`, from the gradients of outputs and last states in place. */
  backward(wantsInput: boolean): void {
    let next = 0;
    for (let index = this.#bound.length - 1; index >= 0; index--) {
      const isWanted = (source: number): boolean => wantsInput || source >= 0;
      this.#bound[index]!.backward?.(this.#graph.sources[index]!.some(isWanted));
      for (; next < this.#additions.length && this.#additions[next]!.after === index; next++) {
        const { source, descriptor } = this.#additions[next]!;
        if (isWanted(source)) this.#kernels.run.rows_add(descriptor.address);
      }
    }
  }

  /**
   * Adds what tied weights have gathered to the gradients of their tables; to be called when all of
   * a gradient is there.
   */
  finish(): void {
    for (const node of this.#bound) node.finish?.();
  }

  /** Moves the parameters that no optimizer changes, after an update of the others. */
  settle(): void {
    for (const node of this.#bound) node.settle?.();
  }

  /** Forgets how; to be called when the gradients are set to zero. */
  discard(): void {
    for (const node of this.#bound) node.discard?.();
  }
}
