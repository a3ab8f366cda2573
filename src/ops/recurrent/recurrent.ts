import { OPERAND_CELL } from '../../../assembly/shared/codes.ts';
import { roundUp } from '../../base/check.ts';
import { GatefoldError } from '../../base/errors.ts';
import { plainPanels } from '../../engine/panels.ts';
import type { Panels } from '../../engine/panels.ts';
import { NONE, part } from '../../engine/plan.ts';
import type { Plan, Slot } from '../../engine/plan.ts';
import { DropoutNode } from '../dropout.ts';
import { mergeNode } from '../join.ts';
import { concatNode, sliceNode } from '../shape.ts';
import type {
  Bound,
  BoundState,
  Derived,
  GraphBuilder,
  Initial,
  Node,
  Op,
  ParameterPlaces,
  ParameterSpec,
  PassSize,
  Places,
  StateSpec,
} from '../op.ts';
import type { Extent } from '../pass.ts';
import { cellForm } from './cell.ts';
import type { CellForm, CellKind } from './form.ts';
import { reserveOptions } from './option-buffers.ts';
import { tableOf } from './options.ts';
import { FinalStateNode, checkInitialSources } from './initial.ts';
import type { CellSpec, CompleteRecurrent } from './specs.ts';

/** A completed layer of any cell. */
type Layer = CompleteRecurrent<CellSpec>;

/**
 * Rows that are a multiple of 1 KiB apart fall into a few sets of a first-level cache, and a walk
 * down a column then evicts itself: such rows get a cache line more.
 */
function rowOf(width: number): number {
  return width % 256 === 0 ? width + 16 : width;
}

const FILL_ZERO: Initial = { kind: 'fill', value: 0 };

/** One direction of a sub-layer of a recurrent layer. */
export class RecurrentNode implements Node {
  /** Its inputs, and what its initial states are where other nodes say so. */
  readonly sources: readonly number[];
  readonly aside = 1;
  readonly widths: readonly number[];
  readonly name: string;
  readonly layer: string;
  readonly form: CellForm;
  readonly inputs: number;
  readonly outputs: number;
  readonly parameters: readonly ParameterSpec[];
  readonly states: readonly StateSpec[];
  readonly isWhole: boolean;
  readonly isReverse: boolean;
  readonly noStream?: string;
  readonly rowLength: number;
  readonly gates: { readonly names: readonly string[]; readonly width: number };
  readonly hidden: number;
  /** Hp */
  readonly padded: number;
  /** Rows of R. */
  readonly depth: number;
  /** Columns of the gates, N. */
  readonly columns: number;
  /** Elements from one row of the states to the next, and of the gates. */
  readonly stateRow: number;
  readonly gateRow: number;
  readonly #bias: boolean | 'single';
  /** What h and c are before the first step. */
  readonly #initial: 'zero' | 'learned' | 'nodes';

  /**
   * @param initial the nodes that say what h and c are before the first step.
   * @param place where it stands among the nodes of its layer.
   * @param suffix what the names of its parameters end in: `_l0`, `_l0_reverse`.
   */
  constructor(
    cell: CellKind,
    layer: Layer,
    source: number,
    inputs: number,
    place: number,
    suffix: string,
    reverse: boolean,
    initial: readonly number[],
  ) {
    const { name, hiddenSize: hidden, bias, initialState = 'zero' } = layer;
    const form = cellForm(cell, layer, reverse);
    this.sources = [source, ...initial];
    this.#initial = typeof initialState === 'string' ? initialState : 'nodes';
    this.name = `${name}.${place}`;
    this.layer = name;
    this.form = form;
    this.inputs = inputs;
    this.outputs = form.options?.projected || hidden;
    this.widths = [inputs, this.outputs, hidden].slice(0, this.sources.length);
    this.isWhole = reverse;
    this.isReverse = reverse;
    if (reverse) {
      this.noStream =
        'a stream cannot run a model that reads backwards: give the whole sequence to model.forward()';
    }
    this.hidden = hidden;
    this.padded = roundUp(hidden, form.unit);
    const depth = form.operand === OPERAND_CELL ? hidden : this.outputs;
    this.depth = this.#hasRecurrence ? depth : 0;
    this.columns = form.gates.length * this.padded;
    this.stateRow = rowOf(this.padded);
    this.gateRow = rowOf(this.columns);
    this.rowLength = this.columns + this.stateRow;
    this.gates = { names: form.gates, width: hidden };
    this.#bias = bias && !this.#hasRecurrence ? 'single' : bias;
    this.states = this.#states();
    this.parameters = this.#parameters(suffix);
  }

  #states(): StateSpec[] {
    const { outputs, hidden, form, stateRow: row } = this;
    const meaning = ['layers and directions', 'units'] as const;
    const isFromNode = this.#initial === 'nodes';
    const h: StateSpec = { role: 'h', count: 1, width: outputs, row, meaning, isFromNode };
    return form.hasCellState ? [h, { ...h, role: 'c', width: hidden }] : [h];
  }

  #parameters(suffix: string): ParameterSpec[] {
    const { form, hidden, padded, depth, inputs } = this;
    const gates = form.gates.length;
    const parameters: ParameterSpec[] = [];
    const uniform: Initial = { kind: 'uniform', limit: 1 / Math.sqrt(hidden) };
    const panels = (depth: number): Panels => this.#panels(depth);
    const add = (
      role: string,
      kind: string,
      shape: readonly number[],
      layout: ParameterSpec['layout'],
      keras: Initial,
      rest: { isInt8?: boolean; pytorch?: Initial } = {},
    ): void => {
      const { pytorch = uniform, isInt8 = false } = rest;
      const name = `${this.layer}.${kind}${suffix}`;
      parameters.push({ role, name, shape, layout, isInt8, initial: { pytorch, keras } });
    };
    const glorot = (rows: number, columns: number): Initial => {
      return { kind: 'uniform', limit: Math.sqrt(6 / (rows + columns)) };
    };
    const wide = gates * hidden;
    const isVector = this.#isVector;
    add('input', 'weight_ih', [wide, inputs], { panels: panels(inputs) }, glorot(wide, inputs), {
      isInt8: true,
    });
    if (this.#hasRecurrence) {
      add(
        'recurrent',
        'weight_hh',
        isVector ? [hidden] : [wide, depth],
        { panels: panels(isVector ? 1 : depth) },
        isVector ? uniform : { kind: 'orthogonal' },
        { isInt8: !isVector },
      );
    }
    const forget = form.gates.indexOf('forget');
    const [from, to] = [forget * hidden, (forget + 1) * hidden];
    const open: Initial = forget < 0 ? FILL_ZERO : { kind: 'fill', value: 1, from, to };
    if (this.#bias) add('biasInput', 'bias_ih', [wide], { panels: panels(1) }, open);
    if (this.#bias === true) {
      add('biasHidden', 'bias_hh', [wide], { panels: panels(1) }, FILL_ZERO);
    }
    const seeing = form.peepholes;
    if (seeing) add('peephole', 'weight_peephole', [seeing, hidden], { row: padded }, FILL_ZERO);
    if (this.#initial === 'learned') {
      for (const { role, width, row } of this.states) {
        add(`${role}0`, `${role}0`, [width], { row }, FILL_ZERO, { pytorch: FILL_ZERO });
      }
    }
    const { projected = 0, layerNorm } = form.options ?? {};
    if (projected) {
      const layout = { panels: plainPanels(projected, projected, hidden) };
      add('projection', 'weight_hr', [projected, hidden], layout, glorot(projected, hidden));
    }
    if (!layerNorm) return parameters;
    const ones: Initial = { kind: 'fill', value: 1 };
    const same = { pytorch: ones };
    add('normInput', 'layer_norm_ih', [wide], { panels: panels(1) }, ones, same);
    add('normHidden', 'layer_norm_hh', [wide], { panels: panels(1) }, ones, same);
    if (!form.hasCellState) return parameters;
    const gammas: Initial = { kind: 'fill', value: 1, to: hidden };
    add('normCell', 'layer_norm_c', [2, hidden], { row: padded }, gammas, { pytorch: gammas });
    return parameters;
  }

  /** How a parameter [gates * H, depth] lies. */
  #panels(depth: number): Panels {
    const { form, hidden, padded } = this;
    const gates = form.gates.length;
    const { together = gates, panelVectors: vectors } = form;
    return { gates, together, hidden, padded, depth, vectors };
  }

  /** Whether gates see a state. */
  get #hasRecurrence(): boolean {
    return this.form.recurrence !== 'none';
  }

  /** Whether each unit sees no state but its own. */
  get #isVector(): boolean {
    return this.form.recurrence === 'vector';
  }

  /** The sum of both biases, where they may be summed. */
  derive(plan: Plan, at: ParameterPlaces): Derived | undefined {
    const { form, columns } = this;
    if (this.#bias !== true || form.biasApart) return undefined;
    const { kernels } = at;
    const slot = plan.reserve(columns);
    const sums = plan.descriptor('Sequence');
    return {
      slot,
      describe: () =>
        kernels.write(sums, {
          cell: form.code,
          columns,
          bias: slot,
          biasInput: at.parameter('biasInput'),
          biasHidden: at.parameter('biasHidden'),
        }),
      prepare: () => kernels.run.sequence_prepare(sums.address),
    };
  }

  reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
    const { form, stateRow, gateRow, inputs, columns, padded } = this;
    const { kernels, derived } = at;
    const { run } = kernels;
    const isTraining = mode === 'train';
    const rows = batch * steps;
    const forTraining = (length: number): Slot => (isTraining ? plan.reserve(length) : NONE);
    const optional = (length: number): Slot => (length ? plan.reserve(length) : NONE);
    const sequence = plan.descriptor('Sequence');
    const isReverse = this.isReverse;
    const cell = form.hasCellState ? 1 : 0;
    const states = (rows + batch) * stateRow;
    const step = batch * stateRow;
    const h = plan.reserve(states);
    const c = optional(cell * states);
    const [lastH, lastC] = [plan.reserve(step), optional(cell * step)];
    const gates = plan.reserve(rows * gateRow);
    const productRow = form.products === 'gates' ? gateRow : stateRow;
    const products = optional(form.products ? rows * productRow : 0);
    const own = plan.part(h, step);
    const gradient = forTraining(rows * stateRow);
    const [dh, dc] = [forTraining(step), forTraining(step)];
    const [dhSeen, dcSeen] = [forTraining(step), forTraining(cell * step)];
    const norms = forTraining(4 * steps);
    const wTransposed = forTraining(columns * roundUp(inputs, 16));
    const hasMatrix = this.#hasRecurrence && !this.#isVector;
    // Its sums, in float64, are of no use.
    const dNoBias = this.#bias === 'single' ? forTraining(2 * columns) : NONE;
    const isSummed = isTraining && this.#bias !== false;
    const dBiasInput = isSummed ? at.sums('biasInput') : NONE;
    const dBiasHidden = isSummed && this.#bias === true ? at.sums('biasHidden') : dNoBias;
    const restOf = (role: string, isThere: unknown): Slot =>
      isTraining && isThere ? at.rest(role) : NONE;
    const rests = {
      dwRest: restOf('input', true),
      drRest: restOf('recurrent', hasMatrix),
      stepRest: this.#isVector ? restOf('recurrent', true) : restOf('peephole', form.peepholes),
    };
    let passed = 0;
    let summed = 0;
    const rTransposed = hasMatrix ? forTraining(columns * roundUp(padded, 16)) : NONE;
    const options = reserveOptions(plan, at, this, { batch, steps, mode });
    const reader = this.#reserveGates(plan, at, gates, own);
    const products8 = (['input', 'recurrent'] as const).flatMap((role) => {
      const fields = at.int8(role);
      return fields ? { role, fields, descriptor: plan.descriptor('Int8Product') } : [];
    });
    const starts = this.states.map(({ role }, k) => {
      const [values, back] = role === 'h' ? [h, dh] : [c, dc];
      return this.#reserveStart(plan, at, k, values, back, batch, isTraining);
    });
    const initials = this.states.map(({ role }) =>
      this.#initial === 'learned' ? { initial: at.parameter(`${role}0`) } : {},
    );
    const turn = isReverse
      ? this.#reserveTurn(plan, at, rows, own, gradient, isTraining)
      : undefined;
    const x = turn ? { slot: turn.inputs, row: inputs } : at.input(0);
    const masked = at.masked(0);
    const [kept, keptCell] = masked ? [forTraining(step), forTraining(cell * step)] : [NONE, NONE];
    const measured = { dhSeen, dcSeen, norms };

    const describe = (): void => {
      if (this.#bias !== false) {
        kernels.write(sequence, {
          bias: derived ? derived.slot : at.parameter('biasInput'),
          biasInput: at.parameter('biasInput'),
          biasHidden: this.#bias === true ? at.parameter('biasHidden') : NONE,
        });
      }
      kernels.write(sequence, {
        x: x.slot,
        xRow: x.row * 4,
        inputs,
        product: at.product,
        cell: form.code,
        policy: form.policy,
        operand: form.operand,
        batch,
        until: batch,
        offsets: at.offsets,
        hidden: this.hidden,
        depth: hasMatrix ? this.depth : 0,
        panelVectors: form.panelVectors,
        padded,
        hiddenBytes: padded * 4,
        columns,
        stateRow: stateRow * 4,
        gateRow: gateRow * 4,
        gatesAll: gates,
        productsAll: products,
        productRow: productRow * 4,
        hAll: h,
        cAll: c,
        dyAll: turn ? turn.stepGradient : gradient,
        dh,
        dc,
        gradientLimit: at.gradientLimit,
        w: at.parameter('input'),
        ...(this.#hasRecurrence && { r: at.parameter('recurrent') }),
        wTransposed,
        rTransposed,
        masked: (turn ? turn.masked : masked) ?? NONE,
        kept,
        keptCell,
      });
      for (const { role, fields, descriptor } of products8) {
        kernels.write(descriptor, { ...fields, ...at.operands });
        kernels.write(sequence, { [`${role}Int8` as const]: descriptor });
      }
      if (options) {
        options.describe();
        kernels.write(sequence, { options: options.descriptor });
      }
      if (form.peepholes) kernels.write(sequence, { peephole: at.parameter('peephole') });
      turn?.describe();
      reader.describe();
      for (const start of starts) start.describe();
      if (!isTraining) return;
      const dx = turn ? turn.dx : at.gradientOfInput(0);
      kernels.write(sequence, { dxRow: dx.row * 4, dw: at.gradient('input'), ...rests });
      if (this.#hasRecurrence) kernels.write(sequence, { dr: at.gradient('recurrent') });
      if (form.peepholes) kernels.write(sequence, { dPeephole: at.gradient('peephole') });
      if (!this.#bias) return;
      kernels.write(sequence, { dBiasInput, dBiasHidden });
    };

    return {
      output: { slot: turn ? turn.output : own, row: stateRow },
      gradient,
      ...(masked && { masked }),
      states: [
        { ...state(h, lastH, dh, batch), ...initials[0] },
        ...(cell ? [{ ...state(c, lastC, dc, batch), ...initials[1] }] : []),
      ],
      describe,
      ...(this.sources.length > 1 && {
        begin: () => {
          for (const { take } of starts) take();
        },
      }),
      ...(this.#initial === 'learned' && {
        learnInitial: () => {
          for (const { give } of starts) give();
        },
      }),
      prepare: () => run.sequence_prepare(sequence.address),
      arrange: (extent) => {
        kernels.set(sequence, 'steps', extent.steps);
        passed = extent.rows;
        turn?.arrange(extent);
      },
      ...(options && { mask: options.mask }),
      forward: () => {
        turn?.before();
        run.sequence_forward(sequence.address);
        turn?.after();
      },
      backward: (wantsInput) => {
        turn?.beforeBack();
        const dx = turn ? turn.dx : at.gradientOfInput(0);
        kernels.set(sequence, 'dx', wantsInput ? dx.slot.address : 0);
        if (rests.dwRest !== NONE) kernels.set(sequence, 'summed', summed);
        run.sequence_backward(sequence.address);
        summed += passed;
        if (wantsInput) turn?.afterBack();
        if (this.sources.length > 1) for (const { give } of starts) give();
      },
      finish: () => {
        summed = 0;
      },
      measure: (isWanted) =>
        kernels.write(sequence, isWanted ? measured : { dhSeen: NONE, dcSeen: NONE }),
      norms,
      gates: reader.read,
    };
  }

  /**
   * Takes state number `k` of every row before the first step from another node, and gives its
   * gradient back: to that node, or all rows to the parameter that it is.
   */
  #reserveStart(
    plan: Plan,
    at: Places,
    k: number,
    values: Slot,
    back: Slot,
    batch: number,
    isTraining: boolean,
  ): Start {
    const { kernels } = at;
    const { run } = kernels;
    const { role, width, row } = this.states[k]!;
    const isLearned = this.#initial === 'learned';
    const source = k + 1;
    if (!isLearned && source >= this.sources.length) return NO_START;
    const [to, from] = [plan.descriptor('Rows'), plan.descriptor('Rows')];
    const own = { rows: batch, toRow: 4 * row, fromRow: 4 * row };
    if (isLearned) {
      const describe = (): void => {
        // Rows no bytes apart are one: the sum of all.
        const sum = { ...own, width: 4 * row, toRow: 0, from: back };
        if (isTraining) kernels.write(to, { ...sum, to: at.gradient(`${role}0`) });
      };
      return { describe, take: () => undefined, give: () => run.rows_add(to.address) };
    }
    const { there, back: inverse } = at.crossing(source);
    return {
      describe: () => {
        const x = at.input(source);
        const read = { index: there, from: x.slot, fromRow: 4 * x.row, width: 4 * width };
        kernels.write(from, { ...own, ...read, to: values });
        if (!isTraining) return;
        const dx = at.gradientOfInput(source);
        const written = { index: inverse, to: dx.slot, toRow: 4 * dx.row, width: 4 * width };
        kernels.write(to, { ...own, ...written, from: back });
      },
      take: () => run.rows_gather(from.address),
      give: () => run.rows_gather(to.address),
    };
  }

  /** Turns the rows of a sequence around, before and after a pass. */
  #reserveTurn(
    plan: Plan,
    at: Places,
    rows: number,
    own: Slot,
    gradient: Slot,
    isTraining: boolean,
  ): Turn {
    const { inputs, stateRow } = this;
    const { kernels } = at;
    const mirror = at.mirror();
    const from = at.masked(0);
    const masked = from && { from, slot: plan.reserve(rows), turn: plan.descriptor('Rows') };
    const dxRow = roundUp(inputs, 4);
    const turned = plan.reserve(rows * inputs);
    const output = plan.reserve(rows * stateRow);
    const dx = isTraining ? plan.reserve(rows * dxRow) : NONE;
    const stepGradient = isTraining ? plan.reserve(rows * stateRow) : NONE;
    const [before, after, beforeBack, afterBack] = [0, 1, 2, 3].map(() => plan.descriptor('Rows'));
    const gather = (which: typeof before) => (): void => kernels.run.rows_gather(which!.address);
    return {
      inputs: turned,
      output,
      stepGradient,
      masked: masked?.slot,
      dx: { slot: dx, row: dxRow },
      describe: () => {
        const write = (
          which: typeof before,
          to: Slot,
          toRow: number,
          from: Slot,
          fromRow: number,
          width: number,
        ): void =>
          kernels.write(which!, {
            index: mirror,
            to,
            toRow: toRow * 4,
            from,
            fromRow: fromRow * 4,
            width: width * 4,
          });
        const x = at.input(0);
        write(before, turned, inputs, x.slot, x.row, inputs);
        write(after, output, stateRow, own, stateRow, stateRow);
        if (masked) write(masked.turn, masked.slot, 1, masked.from, 1, 1);
        if (!isTraining) return;
        const target = at.gradientOfInput(0);
        write(beforeBack, stepGradient, stateRow, gradient, stateRow, stateRow);
        write(afterBack, target.slot, target.row, dx, dxRow, dxRow);
      },
      arrange: (extent) => {
        for (const which of [before, after, beforeBack, afterBack, masked?.turn]) {
          if (which) kernels.set(which, 'rows', extent.rows);
        }
      },
      before: () => {
        kernels.run.rows_gather(before!.address);
        if (masked) kernels.run.rows_gather(masked.turn.address);
      },
      after: gather(after),
      beforeBack: gather(beforeBack),
      afterBack: gather(afterBack),
    };
  }

  /** Reads the gates of a row in their plain order; an Elman network's only one is its state. */
  #reserveGates(
    plan: Plan,
    at: Places,
    gates: Slot,
    states: Slot,
  ): { describe(): void; read(place: number): Float32Array } {
    const { form, hidden, gateRow, stateRow } = this;
    const { kernels } = at;
    const count = form.gates.length;
    if (count === 1) {
      const read = (place: number): Float32Array =>
        kernels.floats(states, place * stateRow, hidden);
      return { describe: () => undefined, read };
    }
    const plain = plan.reserve(this.columns);
    const panels = plan.descriptor('Panels');
    return {
      describe: () =>
        kernels.write(panels, { ...this.#panels(1), first: 0, rows: count * hidden, plain }),
      read(place) {
        kernels.write(panels, { panels: part(gates, place * gateRow) });
        kernels.run.panels_rearrange(panels.address, false);
        return kernels.floats(plain, 0, count * hidden);
      },
    };
  }
}

/** How a state gets what it is before the first step, and gives its gradient on. */
interface Start {
  describe(): void;
  take(): void;
  give(): void;
}

const nothing = (): void => undefined;
const NO_START: Start = { describe: nothing, take: nothing, give: nothing };

interface Turn {
  /** [M, I]: its inputs from the end. */
  readonly inputs: Slot;
  /** [M, row]: its outputs at the places of their inputs. */
  readonly output: Slot;
  /** [M, row]: the gradient of the outputs in its own order. */
  readonly stepGradient: Slot;
  /** [M]: which of these rows are masked. */
  readonly masked: Slot | undefined;
  readonly dx: { readonly slot: Slot; readonly row: number };
  describe(): void;
  arrange(extent: Extent): void;
  before(): void;
  after(): void;
  beforeBack(): void;
  afterBack(): void;
}

/** The initial states come first, then those of every step. */
function state(values: Slot, last: Slot, gradient: Slot, batch: number): BoundState {
  return {
    values,
    last,
    gradient,
    rowOf: ({ offsets }, place, length) =>
      length === 0 ? place : batch + offsets[length - 1]! + place,
  };
}

/** The nodes of a layer that have states, in their order. */
interface Stateful {
  readonly index: number;
  readonly node: RecurrentNode;
}

/** One node, or one for each direction and their merge. */
function addSubLayer(
  cell: CellKind,
  layer: Layer,
  depth: number,
  inputs: number,
  build: GraphBuilder,
  initialOf: (place: number) => readonly number[],
): Stateful[] {
  const { name, bidirectional, dropout, inputDropout } = layer;
  const addDropout = (rate: number | undefined, fixed: boolean): void => {
    if (rate) build.add(new DropoutNode(name, build.top, inputs, rate, fixed));
  };
  if (depth > 0) addDropout(dropout, false);
  addDropout(inputDropout, true);
  const source = build.top;
  const direction = (place: number, reverse: boolean): Stateful => {
    const suffix = `_l${depth}${reverse && bidirectional ? '_reverse' : ''}`;
    const initial = initialOf(place);
    const node = new RecurrentNode(cell, layer, source, inputs, place, suffix, reverse, initial);
    return { index: build.add(node), node };
  };
  if (!bidirectional) return [direction(depth, layer.direction === 'backward')];
  const both = [direction(2 * depth, false), direction(2 * depth + 1, true)];
  const { outputs } = both[0]!.node;
  const sources = both.map(({ index }) => index);
  build.add(mergeNode(name, `${name}.${depth}`, sources, outputs, layer.merge));
  return both;
}

/** Sub-layers and directions. */
function countOf({ bidirectional, numLayers }: Layer): number {
  return bidirectional ? 2 * numLayers : numLayers;
}

/** Features of each state of one sub-layer and direction. */
function stateWidths(cell: CellKind, layer: Layer): Readonly<Record<string, number>> {
  const { hiddenSize, projSize } = layer;
  const h = projSize || hiddenSize;
  return cellForm(cell, layer, false).hasCellState ? { h, c: hiddenSize } : { h };
}

/** The nodes that say what the states of each node are before the first step. */
function initialSources(
  cell: CellKind,
  layer: Layer,
  build: GraphBuilder,
): (place: number) => readonly number[] {
  const { initialState, name } = layer;
  if (typeof initialState !== 'object') return () => [];
  const count = countOf(layer);
  const { top } = build;
  // In the order of the states, whatever that of the option.
  const parts = Object.entries(stateWidths(cell, layer)).flatMap(([role, width]) => {
    const from = initialState[role as keyof typeof initialState];
    if (from === undefined) return [];
    const source = build.find(from);
    if (count === 1) return [[source]];
    const pieces = Array.from({ length: count }, (_, k) => {
      const piece = { from: k * width, to: 0, width };
      return build.add(
        sliceNode(name, `${name}.initial.${role}.${k}`, source, count * width, piece),
      );
    });
    return [pieces];
  });
  build.top = top;
  return (place) => parts.map((nodes) => nodes[place]!);
}

/** Makes the last states of a layer parts of it, all side by side and each by itself. */
function addFinalStates(layer: Layer, nodes: readonly Stateful[], build: GraphBuilder): void {
  const { name } = layer;
  for (const spec of nodes[0]!.node.states) {
    const { role, width } = spec;
    const several = nodes.length > 1;
    const each = nodes.map(({ index, node }, k) =>
      build.addPart(several ? `${role}.${k}` : role, new FinalStateNode(index, node, spec)),
    );
    const widths = nodes.map(() => width);
    if (several) build.addPart(role, concatNode(name, `${name}.${role}`, each, widths));
  }
}

function outputsOf(layer: Layer): number {
  const width = layer.projSize || layer.hiddenSize;
  return layer.bidirectional && layer.merge === 'concat' ? 2 * width : width;
}

/** The kind of layer that runs a cell over a sequence. */
export function recurrent(cell: CellKind): Op<CellSpec, Layer> {
  return {
    type: cell.type,
    options: tableOf(cell),
    complete(spec, context) {
      const { at } = context;
      if (spec.bidirectional && spec.direction === 'backward') {
        const message = `"${at}.direction" says nothing where "bidirectional" is true`;
        throw new GatefoldError('ERR_ARGUMENT', message);
      }
      if (!spec.bidirectional && spec.merge !== 'concat') {
        throw new GatefoldError('ERR_ARGUMENT', `"${at}.merge" needs "bidirectional": true`);
      }
      if (spec.dropout && spec.numLayers === 1) {
        const message = `"${at}.dropout" stands between sub-layers, and "numLayers" is 1: leave it out, or use "inputDropout" or a layer of type 'dropout'`;
        throw new GatefoldError('ERR_ARGUMENT', message);
      }
      cell.check?.(spec, at);
      const layer = spec as Layer;
      const widths = Object.entries(stateWidths(cell, layer));
      const all = Object.fromEntries(widths.map(([role, n]) => [role, n * countOf(layer)]));
      checkInitialSources(layer.initialState, all, context);
      return layer;
    },
    sizes(layer) {
      const count = countOf(layer);
      const parts = Object.entries(stateWidths(cell, layer)).flatMap(([role, width]) => {
        const each = Array.from({ length: count > 1 ? count : 0 }, (_, k) => [
          `${role}.${k}`,
          width,
        ]);
        return [[role, count * width], ...each] as [string, number][];
      });
      return {
        inputs: layer.inputSize,
        outputs: outputsOf(layer),
        count,
        parts: Object.fromEntries(parts.map(([part, outputs]) => [part, { outputs, isRow: true }])),
      };
    },
    lower(layer, build) {
      const initialOf = initialSources(cell, layer, build);
      const nodes: Stateful[] = [];
      for (let depth = 0; depth < layer.numLayers; depth++) {
        const inputs = depth === 0 ? layer.inputSize : outputsOf(layer);
        nodes.push(...addSubLayer(cell, layer, depth, inputs, build, initialOf));
      }
      addFinalStates(layer, nodes, build);
    },
  };
}
