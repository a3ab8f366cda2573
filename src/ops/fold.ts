/**
 * Steps and features traded for each other: a step read as several steps within it, and several
 * steps read as one row.
 */

import { checkInteger, roundUp } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan, Slot } from '../engine/plan.ts';
import type { Bound, Context, GraphBuilder, Node, Op, PassSize, Places, Resample } from './op.ts';
import { MAX_WIDTH, count, inputWidth } from './options.ts';
import type { OptionSpec } from './options.ts';
import { spreadExtent } from './pass.ts';
import { POOLING } from './pool.ts';

/**
 * The features of every step as `steps` steps within it, [steps, features / steps]. The layers
 * after it run over these, each step by itself, until a `pool` or a `flatten` closes them: Keras'
 * `TimeDistributed`. Nothing within a step is carried to the next one, so that the model streams
 * whatever stands there.
 */
export interface UnfoldSpec {
  readonly type: 'unfold';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Steps within a step. */
  readonly steps: number;
  /** Taken from the layer before when absent; `steps`, one feature each, on the inputs. */
  readonly inputSize?: number;
}

/**
 * All steps as one row, features side by side, first step first: of steps within a step those of
 * each, otherwise those of the sequence, of which the description has to say how many there are
 * (`steps`). Steps after the valid ones are zeros. Keras' `Flatten`.
 */
export interface FlattenSpec {
  readonly type: 'flatten';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
  /** Steps of what it reads; taken from the description when absent. */
  readonly inputSteps?: number;
}

/**
 * The same numbers in other steps: a sequence of a fixed number of steps, or one row, as `steps`
 * steps. Keras' `Reshape`.
 */
export interface ReshapeSpec {
  readonly type: 'reshape';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Steps of the outputs. */
  readonly steps: number;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
  /** Steps of what it reads; taken from the description when absent. */
  readonly inputSteps?: number;
}

/** One row a sequence as each of `steps` steps: Keras' `RepeatVector`. */
export interface RepeatSpec {
  readonly type: 'repeat';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** T of what comes out. */
  readonly steps: number;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

export type CompleteUnfold = Required<UnfoldSpec>;
export type CompleteFlatten = Required<FlattenSpec>;
/** Without `inputSteps` where it reads one row a sequence. */
export type CompleteReshape = Required<Omit<ReshapeSpec, 'inputSteps'>> &
  Pick<ReshapeSpec, 'inputSteps'>;
export type CompleteRepeat = Required<RepeatSpec>;

/** As many steps of every row. */
function spread(steps: number): Resample {
  return {
    pools: false,
    spreads: true,
    key: `spread ${steps}`,
    steps: () => steps,
    extent: (rows, isWithin) => spreadExtent(rows, steps, isWithin === true),
  };
}

/** Steps side by side as rows of their own, or rows as steps side by side. */
function foldNode(
  { name, inputSize: inputs }: { readonly name: string; readonly inputSize: number },
  source: number,
  steps: number,
  isFlat: boolean,
): Node {
  const outputs = isFlat ? steps * inputs : inputs / steps;
  const width = isFlat ? inputs : outputs;
  // Rows within a step lie side by side, as a convolution reads them best.
  const row = isFlat ? roundUp(outputs, 4) : outputs;
  const gradientRow = roundUp(outputs, 4);
  const noStream = `a stream cannot run "${name}", which needs the whole sequence: use model.forward()`;
  return {
    layer: name,
    name: isFlat ? name : `${name}.steps`,
    sources: [source],
    inputs,
    outputs,
    parameters: [],
    states: [],
    isWhole: isFlat,
    ...(isFlat && { noStream }),
    resample: isFlat ? POOLING : spread(steps),
    rowLength: roundUp(outputs, 4),
    reserve(plan: Plan, at: Places, { batch, steps: most, mode }: PassSize): Bound {
      const { kernels } = at;
      const isTraining = mode === 'train';
      const rows = isFlat ? batch : batch * most * steps;
      const [there, back] = [plan.descriptor('Fold'), plan.descriptor('Fold')];
      const output = { slot: plan.reserve(rows * row), row };
      const gradient = isTraining ? plan.reserve(rows * gradientRow) : NONE;
      const offsets = isFlat ? at.offsets : at.outputOffsets;
      const total = 4 * steps * width;
      return {
        output,
        gradient,
        gradientRow,
        describe: () => {
          const pairs = [
            [there, at.input(0), output],
            [back, at.gradientOfInput(0), { slot: gradient, row: gradientRow }],
          ] as const;
          for (const [descriptor, before, after] of pairs) {
            const [folded, unfolded] = isFlat ? [after, before] : [before, after];
            kernels.write(descriptor, {
              total,
              width: 4 * width,
              offsets,
              folded: folded.slot,
              foldedRow: 4 * folded.row,
              unfolded: unfolded.slot,
              stepRow: 4 * unfolded.row,
            });
          }
        },
        arrange: (inputs, outputs) => {
          for (const descriptor of [there, back]) {
            kernels.set(descriptor, 'rows', isFlat ? outputs.rows : inputs.rows);
            kernels.set(descriptor, 'steps', isFlat ? inputs.steps : steps);
          }
        },
        forward: () => kernels.run.rows_fold(there.address, !isFlat),
        backward: (wantsInput) => {
          if (wantsInput) kernels.run.rows_fold(back.address, isFlat);
        },
      };
    },
  };
}

function repeatNode({ name, steps, inputSize: width }: CompleteRepeat, source: number): Node {
  const row = roundUp(width, 4);
  return {
    layer: name,
    name,
    sources: [source],
    inputs: width,
    outputs: width,
    parameters: [],
    states: [],
    isWhole: true,
    noStream: `a stream cannot run "${name}", which needs a row of the whole sequence: use model.forward()`,
    resample: spread(steps),
    rowLength: row,
    reserve(plan: Plan, at: Places, { batch, mode }: PassSize): Bound {
      const { kernels } = at;
      const { run } = kernels;
      const length = steps * batch * row;
      const [copy, sum] = [plan.descriptor('Rows'), plan.descriptor('Rows')];
      const output = plan.reserve(length);
      const gradient = mode === 'train' ? plan.reserve(length) : NONE;
      const every = (slot: Slot): Slot[] =>
        Array.from({ length: steps }, (_, t) => plan.part(slot, t * batch * row));
      const outputs = every(output);
      const gradients = mode === 'train' ? every(gradient) : [];
      return {
        output: { slot: output, row },
        gradient,
        describe: () => {
          const [x, dx] = [at.input(0), at.gradientOfInput(0)];
          const rows = batch;
          const there = { from: x.slot, fromRow: 4 * x.row, toRow: 4 * row, width: 4 * width };
          const back = { to: dx.slot, toRow: 4 * dx.row, fromRow: 4 * row, width: 4 * row };
          kernels.write(copy, { rows, ...there });
          kernels.write(sum, { rows, ...back });
        },
        forward: () => {
          for (const to of outputs) {
            kernels.set(copy, 'to', to);
            run.rows_gather(copy.address);
          }
        },
        backward: (wantsInput) => {
          if (!wantsInput) return;
          const dx = at.gradientOfInput(0);
          kernels.zero(dx.slot, 0, batch * dx.row);
          for (const from of gradients) {
            kernels.set(sum, 'from', from);
            run.rows_add(sum.address);
          }
        },
      };
    },
  };
}

const STEPS: OptionSpec = count({
  about: 'Steps of the outputs.',
  keras: 'target_shape[0], n',
});

const INPUT_STEPS: OptionSpec = {
  kind: 'integer',
  low: 1,
  high: 2 ** 24,
  otherwise: 'off',
  about: 'Steps of what it reads, which the description fixes.',
};

/** Steps of what a layer reads, which it has to know. */
function stepsBefore(given: number | undefined, { at, reads, name }: Context): number {
  const { steps, isRow } = reads;
  if (isRow) {
    const message = `"${at}" reads one row a sequence, which has no steps: leave the layer out`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  if (steps === undefined) {
    const message = `"${name}" needs sequences of a fixed number of steps: give the description "steps"`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  if (given === undefined || given === steps) return steps;
  throw new GatefoldError(
    'ERR_SHAPE',
    `"${at}.inputSteps" expected ${steps}, the steps of what it reads, got ${given}`,
  );
}

/** Refuses steps that the features do not fill. */
function checkDivides(total: number, steps: number, at: string): void {
  if (total % steps === 0) return;
  const message = `"${at}.steps" expected a divisor of ${total}, the numbers that it reads, got ${steps}`;
  throw new GatefoldError('ERR_SHAPE', message);
}

export const unfold: Op<UnfoldSpec, CompleteUnfold> = {
  type: 'unfold',
  options: {
    steps: count({ about: 'Steps within a step.', keras: 'TimeDistributed(Reshape)' }),
    inputSize: {
      ...inputWidth(),
      about: 'Features of a step of the inputs; in the first layer `steps` unless given.',
    },
  },
  prepare: (spec, { before }) =>
    before === undefined && spec.inputSize === undefined
      ? { ...spec, inputSize: spec.steps }
      : spec,
  complete(spec, { at }) {
    const layer = spec as CompleteUnfold;
    checkDivides(layer.inputSize, layer.steps, at);
    return layer;
  },
  sizes: ({ steps, inputSize }) => ({
    inputs: inputSize,
    outputs: inputSize / steps,
    resample: [spread(steps)],
  }),
  lower: (layer, build) => void build.add(foldNode(layer, build.top, layer.steps, false)),
};

export const flatten: Op<FlattenSpec, CompleteFlatten> = {
  type: 'flatten',
  options: { inputSize: inputWidth(), inputSteps: INPUT_STEPS },
  complete(spec, context) {
    const inputSteps = stepsBefore(spec.inputSteps, context);
    return { ...spec, inputSteps } as CompleteFlatten;
  },
  sizes: ({ inputSize, inputSteps }) => ({
    inputs: inputSize,
    outputs: checkInteger('outputs of flatten', inputSize * inputSteps, 1, MAX_WIDTH),
    resample: [POOLING],
  }),
  lower: (layer, build) => void build.add(foldNode(layer, build.top, layer.inputSteps, true)),
};

export const reshape: Op<ReshapeSpec, CompleteReshape> = {
  type: 'reshape',
  options: { steps: STEPS, inputSize: inputWidth(), inputSteps: INPUT_STEPS },
  complete(spec, context) {
    const inputSteps = context.reads.isRow ? undefined : stepsBefore(spec.inputSteps, context);
    const layer = { ...spec, ...(inputSteps && { inputSteps }) } as CompleteReshape;
    checkDivides(layer.inputSize * (inputSteps ?? 1), layer.steps, context.at);
    return layer;
  },
  sizes: ({ steps, inputSize, inputSteps = 0 }) => ({
    inputs: inputSize,
    outputs: (inputSize * (inputSteps || 1)) / steps,
    resample: [...(inputSteps ? [POOLING] : []), spread(steps)],
  }),
  lower(layer, build: GraphBuilder) {
    const { steps, inputSteps, inputSize, name } = layer;
    if (inputSteps) build.add(foldNode(layer, build.top, inputSteps, true));
    const flat = { name, inputSize: inputSize * (inputSteps ?? 1) };
    build.add(foldNode(flat, build.top, steps, false));
  },
};

export const repeat: Op<RepeatSpec, CompleteRepeat> = {
  type: 'repeat',
  options: { steps: STEPS, inputSize: inputWidth() },
  complete(spec, { at, reads }) {
    if (reads.isRow) return spec as CompleteRepeat;
    const message = `"${at}" repeats one row a sequence: put a pool, or a flatten, before it`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  },
  sizes: ({ steps, inputSize }) => ({
    inputs: inputSize,
    outputs: inputSize,
    resample: [spread(steps)],
  }),
  lower: (layer, build) => void build.add(repeatNode(layer, build.top)),
};
