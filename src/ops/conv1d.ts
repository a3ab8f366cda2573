import { roundUp } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import {
  MAX_REACH,
  checkPadding,
  convPanels,
  convSizes,
  convSteps,
  convZeros,
} from '../engine/conv1d.ts';
import type { ConvReach, ConvShape } from '../engine/conv1d.ts';
import { plainPanels } from '../engine/panels.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import { lowerActivation } from './activation.ts';
import { checkActivation } from './activations.ts';
import type { RowActivation } from './activations.ts';
import type {
  Bound,
  Layout,
  Node,
  Op,
  ParameterSpec,
  PassSize,
  Places,
  Resample,
  StateSpec,
} from './op.ts';
import { reserveHistory } from './history.ts';
import { count, flag, inputWidth, width } from './options.ts';
import { resampledExtent } from './pass.ts';

/**
 * Convolution over time, a correlation as `torch.nn.Conv1d`: y_t = b + sum over k of W_k x_(t s + k
 * d - left), zeros outside of the valid steps. `weight` is [O, I / groups, K], `bias` [O].
 */
export interface Conv1dSpec {
  readonly type: 'conv1d';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** I; taken from the layer before when absent. */
  readonly inChannels?: number;
  /** O */
  readonly outChannels: number;
  /** K: taps. */
  readonly kernelSize: number;
  /** Steps from output to output; default 1. */
  readonly stride?: number;
  /** Steps from tap to tap; default 1. */
  readonly dilation?: number;
  /** Groups of channels that see nothing of each other; they divide I and O; default 1. */
  readonly groups?: number;
  /**
   * Zeros before the first and after the last valid step, as [left, right] or by a name: `valid`
   * none (the default), `same` as many as give T / stride outputs (more of them after, as in
   * Keras), `causal` all before, so that no output depends on later steps.
   */
  readonly padding?: 'valid' | 'same' | 'causal' | readonly [number, number];
  /** Default true. */
  readonly bias?: boolean;
  /** What the outputs go through: see `ActivationLayerSpec`. Default none. */
  readonly activation?: RowActivation;
}

export type CompleteConv1d = Required<Omit<Conv1dSpec, 'activation'>> &
  Pick<Conv1dSpec, 'activation'>;

/** How windows of steps change which rows there are, unless they leave as many. */
export function resampleOf(layer: ConvReach): Resample | undefined {
  const { kernelSize, stride, dilation, padding } = layer;
  const reach = dilation * (kernelSize - 1);
  const pads = { valid: 0, same: reach, causal: reach };
  const padded = typeof padding === 'string' ? pads[padding] : padding[0] + padding[1];
  const longer = padded - reach;
  if (stride === 1 && longer === 0) return undefined;
  const steps = (count: number): number => convSteps(count, layer);
  const extent: Resample['extent'] = (inputs) => resampledExtent(inputs, steps);
  return { pools: false, key: `${stride} ${longer}`, steps, extent };
}

/** The weight of a convolution, and a bias of so many elements; 0 for none. */
export function convParameters(name: string, shape: ConvShape, biases: number): ParameterSpec[] {
  const { groups, taps } = shape;
  const inputs = shape.inputs / groups;
  const { panels, count } = convPanels(shape);
  const layout: Layout = { panels, groups: count, taps };
  const pytorch = { kind: 'uniform', limit: 1 / Math.sqrt(inputs * taps) } as const;
  const glorot = Math.sqrt(6 / ((inputs + shape.outputs / groups) * taps));
  const weight: ParameterSpec = {
    role: 'weight',
    name: `${name}.weight`,
    shape: [shape.outputs, inputs, taps],
    layout,
    initial: { pytorch, keras: { kind: 'uniform', limit: glorot } },
  };
  if (!biases) return [weight];
  const bias: ParameterSpec = {
    role: 'bias',
    name: `${name}.bias`,
    shape: [biases],
    layout: { panels: plainPanels(biases, roundUp(biases, 4), 1) },
    initial: { pytorch, keras: { kind: 'fill', value: 0 } },
  };
  return [weight, bias];
}

/** Refuses taps that are too far apart. */
export function checkReach(
  { dilation, kernelSize }: Pick<ConvReach, 'dilation' | 'kernelSize'>,
  at: string,
): void {
  const reach = dilation * (kernelSize - 1);
  if (reach <= MAX_REACH) return;
  const message = `"${at}" looks ${reach} steps back, and ${MAX_REACH} are allowed: choose a smaller "dilation" or "kernelSize"`;
  throw new GatefoldError('ERR_ARGUMENT', message);
}

class Conv1dNode implements Node {
  readonly sources: readonly number[];
  readonly name: string;
  readonly layer: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly rowLength: number;
  readonly parameters: readonly ParameterSpec[];
  readonly states: readonly StateSpec[];
  readonly isWhole: boolean;
  readonly noStream?: string;
  readonly resample?: Resample;
  readonly #layer: CompleteConv1d;
  /** Steps that the last tap lies after the first. */
  readonly #reach: number;
  /** Elements from row to row of the inputs' copy. */
  readonly #inputRow: number;

  constructor(source: number, layer: CompleteConv1d) {
    const { name, inChannels, outChannels, kernelSize, stride, dilation, padding, bias } = layer;
    this.sources = [source];
    this.name = name;
    this.layer = name;
    this.inputs = inChannels;
    this.outputs = outChannels;
    this.rowLength = roundUp(outChannels, 4);
    this.#layer = layer;
    this.#reach = dilation * (kernelSize - 1);
    this.#inputRow = roundUp(inChannels, 4);
    this.parameters = convParameters(name, this.#shape, bias ? outChannels : 0);
    const resample = resampleOf(layer);
    // A single tap sees no other step.
    const isCausal = !resample && (padding === 'causal' || kernelSize === 1);
    this.isWhole = !isCausal;
    const count = isCausal ? this.#reach : 0;
    const meaning = ['steps', 'channels'] as const;
    const h = { role: 'h', count, width: inChannels, row: this.#inputRow, meaning } as const;
    this.states = count ? [h] : [];
    if (!isCausal) {
      this.noStream =
        padding === 'causal'
          ? `a stream cannot run "${name}", which has one output for ${stride} steps: use model.forward()`
          : `a stream cannot run "${name}", a convolution that sees later steps: describe it with padding: 'causal', or use model.forward()`;
    }
    if (resample) this.resample = resample;
  }

  get #shape(): ConvShape {
    const { kernelSize: taps, groups } = this.#layer;
    return { inputs: this.inputs, outputs: this.outputs, taps, groups };
  }

  reserve(plan: Plan, at: Places, size: PassSize): Bound {
    const { batch, steps, mode } = size;
    const { kernels } = at;
    const { run } = kernels;
    const { kernelSize: taps, stride, dilation, groups, bias } = this.#layer;
    const { inputs, outputs, rowLength: row } = this;
    const isTraining = mode === 'train';
    const history = this.states.length ? this.#reach : 0;
    const conv = plan.descriptor('Conv1d');
    const outputRows = batch * (this.resample ? this.resample.steps(steps) : steps);
    const output = plan.reserve(outputRows * row);
    const gradient = isTraining ? plan.reserve(outputRows * row) : NONE;
    const sizes = convSizes(this.#shape);
    const windows = plan.reserve(sizes.windows);
    const slice = plan.reserve(sizes.slice);
    // A depthwise convolution has no transpose, and the kernel makes none where there is no place.
    const isTransposed = isTraining && sizes.wTransposed > 0;
    const wTransposed = isTransposed ? plan.reserve(sizes.wTransposed) : NONE;
    // The gradient of the inputs may take their place, as it does of a linear layer's outputs: the
    // weights need them until the last output.
    const isReplaced = isTraining && at.gradientOfInput(0).slot === at.input(0).slot;
    const isCopied = history > 0 || isReplaced;
    const kept = isCopied ? reserveHistory(plan, history, this.#inputRow, size) : undefined;
    const copy = plan.descriptor('Rows');
    const outputOffsets = at.outputOffsets;
    const dBias = isTraining && bias ? at.sums('bias') : NONE;
    const dwRest = isTraining ? at.rest('weight') : NONE;
    let own = 0;
    let summed = 0;
    const lefts = plan.reserve(batch);
    return {
      output: { slot: output, row },
      gradient,
      states: kept && history ? [kept.state] : [],
      describe: () => {
        const x = at.input(0);
        const from = kept ? { slot: kept.own, row: this.#inputRow } : x;
        kernels.write(conv, {
          inputs,
          outputs,
          taps,
          groups,
          stride,
          dilation,
          batch,
          lefts,
          offsets: at.offsets,
          outputOffsets,
          x: from.slot,
          xRow: from.row * 4,
          y: output,
          yRow: row * 4,
          history,
          state: kept?.values ?? NONE,
          stateRow: this.#inputRow * 4,
          w: at.parameter('weight'),
          bias: bias ? at.parameter('bias') : NONE,
          wTransposed,
          windows,
          ...sizes.fields,
          slice,
          product: at.product,
        });
        const toRow = this.#inputRow * 4;
        kernels.write(copy, {
          to: kept?.own ?? NONE,
          toRow,
          from: x.slot,
          fromRow: x.row * 4,
          width: inputs * 4,
        });
        if (!isTraining) return;
        kernels.write(conv, {
          dy: gradient,
          dyRow: row * 4,
          dxRow: at.gradientOfInput(0).row * 4,
          dState: kept?.state.gradient ?? NONE,
          dw: at.gradient('weight'),
          dwRest,
          dBias,
        });
      },
      prepare: () => run.conv1d_prepare(conv.address),
      arrange: (extent, outputs) => {
        kernels.set(copy, 'rows', extent.rows);
        kernels
          .integers(lefts)
          .set(extent.lengths.map((length) => convZeros(length, this.#layer)[0]));
        kernels.set(conv, 'steps', extent.steps);
        kernels.set(conv, 'outputSteps', outputs.steps);
        own = outputs.rows;
      },
      forward: () => {
        if (isCopied) run.rows_gather(copy.address);
        run.conv1d_forward(conv.address);
      },
      backward: (wantsInput) => {
        kernels.set(conv, 'dx', wantsInput ? at.gradientOfInput(0).slot.address : 0);
        kernels.set(conv, 'summed', summed);
        run.conv1d_backward(conv.address);
        summed += own;
      },
      finish: () => {
        summed = 0;
      },
    };
  }
}

export const conv1d: Op<Conv1dSpec, CompleteConv1d> = {
  type: 'conv1d',
  options: {
    inChannels: inputWidth({ pytorch: 'in_channels' }),
    outChannels: width({
      about: 'O, outputs of a step.',
      pytorch: 'out_channels',
      keras: 'filters',
    }),
    kernelSize: count({
      about: 'K, taps.',
      pytorch: 'kernel_size',
      keras: 'kernel_size',
      onnx: 'kernel_shape',
    }),
    stride: count({
      otherwise: 1,
      about: 'Steps from output to output.',
      pytorch: 'stride',
      keras: 'strides',
      onnx: 'strides',
    }),
    dilation: count({
      otherwise: 1,
      about: 'Steps from tap to tap.',
      pytorch: 'dilation',
      keras: 'dilation_rate',
      onnx: 'dilations',
    }),
    groups: {
      kind: 'integer',
      low: 1,
      high: 2 ** 24,
      otherwise: 1,
      about: 'Groups of channels that see nothing of each other.',
      pytorch: 'groups',
      keras: 'groups',
      onnx: 'group',
    },
    padding: {
      kind: 'own',
      expects: "'valid', 'same', 'causal' or [left, right]",
      check: (name, value = 'valid') => checkPadding(name, value),
      about: 'Zeros before the first and after the last valid step.',
      pytorch: 'padding',
      keras: 'padding',
      onnx: 'pads, auto_pad SAME_UPPER',
    },
    bias: flag(true, {
      about: 'Whether a bias is added.',
      pytorch: 'bias',
      keras: 'use_bias',
      onnx: 'B',
    }),
    activation: {
      kind: 'own',
      expects: 'an activation',
      check: checkActivation,
      otherwise: 'off',
      about: 'What the outputs go through; none where absent.',
      keras: 'activation',
    },
  },
  complete(spec, { at }) {
    const layer = spec as CompleteConv1d;
    checkReach(layer, at);
    for (const key of ['inChannels', 'outChannels'] as const) {
      if (layer[key] % layer.groups === 0) continue;
      const message = `"${at}.groups" expected a divisor of "${key}", ${layer[key]}, got ${layer.groups}`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    return layer;
  },
  sizes: (layer) => ({
    inputs: layer.inChannels,
    outputs: layer.outChannels,
    resample: [resampleOf(layer) ?? []].flat(),
  }),
  lower(layer, build) {
    build.add(new Conv1dNode(build.top, layer));
    if (layer.activation) lowerActivation(layer.name, layer.activation, build);
  },
};
