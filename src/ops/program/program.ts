import {
  ACTIVATION_ERF,
  ACTIVATION_EXP,
  NORM_LAYER,
  POOL_MAX,
  POOL_MEAN,
} from '../../../assembly/shared/codes.ts';
import { roundUp } from '../../base/check.ts';
import { plainPanels } from '../../engine/panels.ts';
import type { Fields, Kernels } from '../../engine/kernels.ts';
import { NONE, part } from '../../engine/plan.ts';
import type { Plan, Slot } from '../../engine/plan.ts';
import { activationCode } from '../activations.ts';
import type {
  Bound,
  Derived,
  Node,
  Op,
  ParameterPlaces,
  ParameterSpec,
  PassSize,
  Places,
  StateSpec,
} from '../op.ts';
import type { OptionSpec } from '../options.ts';
import { rowOfState } from '../pass.ts';
import type { Extent } from '../pass.ts';
import { inputWidths, widthsOf } from '../shape.ts';
import { Inner } from './inner.ts';
import type { BoundStep } from './inner.ts';
import { lifetimes } from './lifetimes.ts';
import { WALKS, checkProgram } from './spec.ts';
import type {
  CompleteProgram,
  ProgramActivation,
  ProgramConstant,
  ProgramImage,
  ProgramMatrix,
  ProgramPlace,
  ProgramSpec,
  ProgramStep,
} from './spec.ts';

/** Elements of windows that a convolution lays out at once: they stay in the second-level cache. */
const WINDOWS = 2 ** 15;
/** Rows of a product that goes through scratch; see assembly/tensors/matrix.ts. */
const ROWS = 96;

const total = (list: readonly { readonly size: number }[]): number =>
  list.reduce((sum, { size }) => sum + size, 0);

function layoutOf({ shape, isMatrix }: ProgramConstant): ParameterSpec['layout'] {
  const [columns, depth] = shape as readonly [number, number];
  if (!isMatrix) return { row: shape.at(-1)! };
  return { panels: plainPanels(columns, roundUp(columns, 4), depth) };
}

function codeOf(activation: ProgramActivation): Fields<'ActivationLayer'> {
  if (activation === 'exp') return { kind: ACTIVATION_EXP };
  if (activation === 'erf') return { kind: ACTIVATION_ERF };
  return { ...activationCode(activation) };
}

type SlotOf = (place: ProgramPlace) => Slot;

/** An activation or a norm of rows side by side. */
function rowsStep(plan: Plan, kernels: Kernels, step: ProgramStep, slotOf: SlotOf): BoundStep {
  const { op, to, a, rows = 1, width = 1, activation, eps = 0 } = step;
  const [x, y] = [slotOf(a), slotOf(to)];
  const all = { rows, width, x, y, xRow: 4 * width, yRow: 4 * width };
  if (op === 'norm') {
    const norm = plan.descriptor('LayerNorm');
    return {
      describe: () => kernels.write(norm, { ...all, mode: NORM_LAYER, epsilon: eps }),
      run: () => kernels.run.layer_norm_forward(norm.address),
    };
  }
  const layer = plan.descriptor('ActivationLayer');
  const isOfRows = activation === 'softmax' || activation === 'logSoftmax';
  const scratch = plan.reserve(isOfRows ? width : 0);
  return {
    describe: () => kernels.write(layer, { ...all, ...codeOf(activation!), scratch }),
    run: () => kernels.run.activation_forward(layer.address),
  };
}

/** Outputs whose windows are laid out at once, in whole panels. */
function blockOf({ depth, columns }: ProgramMatrix): number {
  return Math.min(roundUp(columns, 16), Math.max(16, Math.floor(WINDOWS / depth / 16) * 16));
}

/** Elements of panels and of results that a step needs meanwhile. */
function scratchOf({ op, matrix }: ProgramStep): { panels: number; block: number } {
  if (!matrix) return { panels: 0, block: 0 };
  const { rows, depth, columns, bRow, bColumn } = matrix;
  const isWindowed = op === 'convolution';
  const isPlain = !isWindowed && (bRow === undefined || (bColumn === 1 && columns % 4 === 0));
  const wide = isWindowed ? blockOf(matrix) : roundUp(columns, 16);
  return {
    panels: isPlain ? 0 : wide * depth,
    block: columns % 4 === 0 ? 0 : Math.min(rows, ROWS) * wide,
  };
}

const SIDES = ['High', 'Wide'] as const;

function imageFields(op: string, image: ProgramImage, block: number): Fields<'Image'> {
  const { channels, input, output, taps, strides, dilations, before, after, up } = image;
  const sided = Object.fromEntries(
    Object.entries({ taps, stride: strides, dilation: dilations, up }).flatMap(([key, list]) =>
      SIDES.map((side, k) => [key + side, list[k]!]),
    ),
  );
  const [height, width] = input;
  const [outputHeight, outputWidth] = output;
  return {
    ...sided,
    mode: op === 'maxPool' ? POOL_MAX : POOL_MEAN,
    channels,
    height,
    width,
    outputHeight,
    outputWidth,
    top: before[0],
    left: before[1],
    bottom: after[0],
    right: after[1],
    block,
  };
}

interface Scratch {
  readonly panels: Slot;
  readonly block: Slot;
}

/** An operator that goes over the axes of tensors. */
function walkStep(
  plan: Plan,
  { kernels, product }: Places,
  step: ProgramStep,
  slotOf: SlotOf,
  scratch: Scratch,
): BoundStep {
  const { op, axes = [], count = 0, size = 0, row = 0, matrix, image } = step;
  const walk = plan.descriptor('Walk');
  const loops = plan.reserve(4 * axes.length);
  const [matrixAt, imageAt] = [plan.descriptor('Matrix'), plan.descriptor('Image')];
  const [to, a] = [slotOf(step.to), slotOf(step.a)];
  const b = step.b ? slotOf(step.b) : a;
  const describe = (): void => {
    const bytes = (n: number | undefined): number => 4 * (n ?? 0);
    kernels
      .integers(loops)
      .set(axes.flatMap(([times, ...steps]) => [times, ...steps.map((n) => bytes(n))]));
    kernels.write(walk, {
      mode: WALKS[op]!,
      rank: axes.length,
      axes: loops,
      to,
      a,
      b,
      count,
      size,
      row: bytes(row),
      matrix: matrixAt,
      image: imageAt,
    });
    if (image) kernels.write(imageAt, imageFields(op, image, matrix ? blockOf(matrix) : 0));
    if (!matrix) return;
    const { rows, depth, columns, isAdded } = matrix;
    kernels.write(matrixAt, {
      rows,
      depth,
      columns,
      product,
      aRow: bytes(matrix.aRow),
      aColumn: bytes(matrix.aColumn),
      bRow: bytes(matrix.bRow),
      bColumn: bytes(matrix.bColumn),
      toRow: bytes(matrix.toRow),
      isAdded: Number(isAdded === true),
      panels: scratchOf(step).panels ? scratch.panels : NONE,
      block: scratch.block,
    });
  };
  return { describe, run: () => kernels.run.tensor_walk(walk.address) };
}

/** What a program derives from its parameters: what the recurrent layers among its steps do. */
interface ProgramDerived extends Derived {
  readonly inner: ReadonlyMap<Inner, Derived>;
}

/** Elements that are copied before or after the steps of a call. */
interface Copy {
  readonly tensor: Slot;
  readonly size: number;
  /** First element in a row. */
  readonly within: number;
}

/** One call of all steps for every row. */
class ProgramNode implements Node {
  readonly layer: string;
  readonly name: string;
  readonly sources: readonly number[];
  readonly widths: readonly number[];
  readonly inputs: number;
  readonly outputs: number;
  readonly rowLength: number;
  readonly parameters: readonly ParameterSpec[];
  readonly states: readonly StateSpec[];
  readonly noTraining: string;
  readonly #program: CompleteProgram;
  readonly #inner: ReadonlyMap<number, Inner>;

  constructor(sources: readonly number[], program: CompleteProgram) {
    const { name, inputSizes, carries, outputs, steps } = program;
    this.layer = name;
    this.name = name;
    this.sources = sources;
    this.widths = inputSizes;
    this.inputs = inputSizes.reduce((sum, size) => sum + size, 0);
    this.outputs = total(outputs);
    this.noTraining = `"${name}" is a program of fixed shapes, which cannot be trained`;
    this.#program = program;
    this.#inner = new Map(
      steps.flatMap((step, k) =>
        step.op === 'recurrent' ? [[k, new Inner(`${name}.${k}`, step)]] : [],
      ),
    );
    const width = total(carries);
    const row = roundUp(width, 4);
    const meaning = ['states', 'carried elements'] as const;
    this.states = width ? [{ role: 'h', count: 1, width, row, meaning }] : [];
    this.rowLength = roundUp(this.outputs, 4) + row;
    this.parameters = this.#parameters();
  }

  #parameters(): ParameterSpec[] {
    const zero = { kind: 'fill', value: 0 } as const;
    const initial = { pytorch: zero, keras: zero };
    const own = this.#program.constants.map((constant, k): ParameterSpec => {
      const role = `constant.${k}`;
      const { shape } = constant;
      const name = `${this.layer}.${role}`;
      return { role, name, shape, layout: layoutOf(constant), initial, isFixed: true };
    });
    return [...own, ...[...this.#inner.values()].flatMap(({ parameters }) => parameters)];
  }

  derive(plan: Plan, at: ParameterPlaces): ProgramDerived | undefined {
    const inner = new Map<Inner, Derived>();
    for (const own of this.#inner.values()) {
      const derived = own.derive(plan, at);
      if (derived) inner.set(own, derived);
    }
    if (!inner.size) return undefined;
    return {
      slot: NONE,
      inner,
      describe: () => inner.forEach((derived) => derived.describe?.()),
      prepare: () => inner.forEach((derived) => derived.prepare?.()),
    };
  }

  reserve(plan: Plan, at: Places, { batch, steps }: PassSize): Bound {
    const { kernels } = at;
    const program = this.#program;
    const { inputSizes, carries, constants } = program;
    const row = roundUp(this.outputs, 4);
    const output = plan.reserve(batch * steps * row);
    const stateRow = this.states[0]?.row ?? 0;
    const values = plan.reserve((steps + 1) * batch * stateRow);
    const last = plan.reserve(batch * stateRow);

    const { offsets, length } = lifetimes(program);
    const memory = plan.reserve(length);
    const tensors = [
      ...[...inputSizes, ...carries.map(({ size }) => size)].map((size) => plan.reserve(size + 4)),
      ...constants.map((_, k) => at.parameter(`constant.${k}`)),
      ...offsets.map((offset) => plan.part(memory, offset)),
    ];
    const first = inputSizes.length + carries.length;
    const slotOf: SlotOf = ([tensor, from]) => {
      const isConstant = tensor >= first && tensor < first + constants.length;
      return isConstant ? part(tensors[tensor]!, from) : plan.part(tensors[tensor]!, from);
    };
    const sizes = program.steps.map(scratchOf);
    const most = (key: 'panels' | 'block'): Slot =>
      plan.reserve(sizes.reduce((n, size) => Math.max(n, size[key]), 0));
    const scratch = { panels: most('panels'), block: most('block') };
    const derived = at.derived as ProgramDerived | undefined;
    const bound = program.steps.map((step, k): BoundStep => {
      const inner = this.#inner.get(k);
      if (inner) return inner.reserve(plan, at, derived?.inner.get(inner), slotOf);
      if (WALKS[step.op] === undefined) return rowsStep(plan, kernels, step, slotOf);
      return walkStep(plan, at, step, slotOf, scratch);
    });

    const copiesOf = (list: readonly { size: number; from: ProgramPlace }[]): Copy[] => {
      let within = 0;
      return list.map(({ size, from }) => {
        within += size;
        return { tensor: slotOf(from), size, within: within - size };
      });
    };
    const taken = copiesOf(
      carries.map(({ size }, k) => ({ size, from: [inputSizes.length + k, 0] })),
    );
    const [kept, given] = [copiesOf(carries), copiesOf(program.outputs)];
    let extent: Extent;
    const call = (r: number, before: number): void => {
      for (let k = 0; k < inputSizes.length; k++) {
        const x = at.input(k);
        kernels.copy(tensors[k]!, 0, x.slot, r * x.row, inputSizes[k]!);
      }
      for (let k = 0; k < taken.length; k++) {
        const { tensor, size, within } = taken[k]!;
        kernels.copy(tensor, 0, values, before * stateRow + within, size);
      }
      for (let k = 0; k < bound.length; k++) bound[k]!.run();
      for (let k = 0; k < given.length; k++) {
        const { tensor, size, within } = given[k]!;
        kernels.copy(output, r * row + within, tensor, 0, size);
      }
      for (let k = 0; k < kept.length; k++) {
        const { tensor, size, within } = kept[k]!;
        kernels.copy(values, (batch + r) * stateRow + within, tensor, 0, size);
      }
    };
    const rowOf = rowOfState(1, batch);
    return {
      output: { slot: output, row },
      gradient: NONE,
      ...(stateRow > 0 && { states: [{ values, last, gradient: NONE, rowOf }] }),
      describe: () => bound.forEach(({ describe }) => describe()),
      prepare: () => bound.forEach(({ prepare }) => prepare?.()),
      arrange: (inputs) => {
        extent = inputs;
      },
      forward: () => {
        for (let t = 0; t < extent.steps; t++) {
          const start = extent.offsets[t]!;
          const before = t > 0 ? batch + extent.offsets[t - 1]! : 0;
          const rows = extent.offsets[t + 1]! - start;
          for (let place = 0; place < rows; place++) call(start + place, before + place);
        }
      },
    };
  }
}

const own = (about: string, otherwise: 'off' | 'needed' = 'needed'): OptionSpec => ({
  kind: 'own',
  expects: 'what a reader of a format makes',
  check: (_, value) => value,
  otherwise,
  about,
});

/** The kind of layer, which importing the reader of a format that makes it adds to the others. */
export const program: Op<ProgramSpec, CompleteProgram> = {
  type: 'program',
  isJoin: true,
  options: {
    inputSizes: inputWidths,
    carries: own('What the step before has left.', 'off'),
    constants: own('Shapes of its constants.', 'off'),
    tensors: own('Elements of each tensor that steps make.'),
    steps: own('Operators in their order.'),
    outputs: own('What a row of outputs is made of.'),
  },
  complete(spec, context) {
    const inputSizes = widthsOf(spec.inputSizes, context);
    const { type, name, tensors, steps, outputs, carries = [], constants = [] } = spec;
    const { inputs } = spec as { inputs?: readonly string[] };
    const own = { inputSizes, carries, constants, tensors, steps, outputs };
    const layer = { type, name: name!, ...(inputs && { inputs }), ...own };
    checkProgram(context.at, layer);
    return layer;
  },
  sizes: ({ inputSizes: each, outputs }) => ({
    inputs: each.reduce((sum, width) => sum + width),
    each,
    outputs: total(outputs),
  }),
  lower: (layer, build) => void build.add(new ProgramNode(build.sources, layer)),
};
