import { checkInteger, roundUp, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { MAX_REACH, checkPadding, convSizes } from '../engine/conv1d.ts';
import type { ConvShape } from '../engine/conv1d.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import { lowerActivation } from './activation.ts';
import type { RowActivation } from './activations.ts';
import { checkReach, conv1d, convParameters } from './conv1d.ts';
import type {
  Bound,
  Derived,
  Node,
  Op,
  ParameterPlaces,
  PassSize,
  Places,
  Resample,
} from './op.ts';
import { resampledExtent } from './pass.ts';

/**
 * The transpose of a convolution over time, `torch.nn.ConvTranspose1d`: y_u = b + sum of W_k^T x_t
 * over all t and k with t s + k d - left = u. `weight` is [I, O, K], `bias` [O].
 */
export interface ConvTranspose1dSpec {
  readonly type: 'convTranspose1d';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** I; taken from the layer before when absent. */
  readonly inChannels?: number;
  /** O */
  readonly outChannels: number;
  /** K: taps. */
  readonly kernelSize: number;
  /** Steps of outputs from input to input; default 1. */
  readonly stride?: number;
  /**
   * Steps of outputs that are left out, at both ends or as [left, right]; `valid` none (the
   * default), `same` as many as leave T stride outputs (more of them after, as in Keras).
   */
  readonly padding?: 'valid' | 'same' | number | readonly [number, number];
  /** Steps of outputs that are added after the last one; default 0. */
  readonly outputPadding?: number;
  /** Steps from tap to tap; default 1. */
  readonly dilation?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** What the outputs go through: see `ActivationLayerSpec`. Default none. */
  readonly activation?: RowActivation;
}

export type CompleteConvTranspose1d = Required<Omit<ConvTranspose1dSpec, 'activation'>> &
  Pick<ConvTranspose1dSpec, 'activation'>;

const PADDINGS = "'valid', 'same', a number of steps or [left, right]";

/** The steps left out before the first output, and those that one step of inputs has. */
function reachOf(layer: CompleteConvTranspose1d): { left: number; single: number } {
  const { kernelSize, stride, dilation, padding, outputPadding } = layer;
  const taps = dilation * (kernelSize - 1) + 1;
  if (padding === 'same') return { left: Math.max(taps - stride, 0) >> 1, single: stride };
  const both = typeof padding === 'number' ? padding : 0;
  const [left, right] = typeof padding === 'object' ? padding : [both, both];
  return { left, single: taps - left - right + outputPadding };
}

/** Layers that make as many steps of as many have one key: see `Resample`. */
function resampleOf(stride: number, single: number): Resample | undefined {
  if (stride === 1 && single === 1) return undefined;
  const steps = (n: number): number => (n ? Math.max(0, (n - 1) * stride + single) : 0);
  const extent: Resample['extent'] = (inputs) => resampledExtent(inputs, steps);
  const longer = stride === 1 ? `1 ${single - 1}` : `transposed ${stride} ${single}`;
  return { pools: false, key: single === stride ? `up ${stride}` : longer, steps, extent };
}

/**
 * The kernels are those of the convolution whose transpose it is: from the outputs, as x, to the
 * inputs, as y.
 */
function transposeNode(source: number, layer: CompleteConvTranspose1d): Node {
  const { name, inChannels, outChannels, kernelSize, stride, dilation, bias } = layer;
  const { left, single } = reachOf(layer);
  const resample = resampleOf(stride, single);
  const row = roundUp(outChannels, 4);
  const inputRow = roundUp(inChannels, 4);
  const shape: ConvShape = {
    inputs: outChannels,
    outputs: inChannels,
    taps: kernelSize,
    groups: 1,
  };
  const sizes = convSizes(shape);
  return {
    layer: name,
    name,
    sources: [source],
    inputs: inChannels,
    outputs: outChannels,
    parameters: convParameters(name, shape, bias ? outChannels : 0),
    states: [],
    isWhole: true,
    noStream: `a stream cannot run "${name}", whose outputs overlap: use model.forward()`,
    ...(resample && { resample }),
    rowLength: row,
    /** The transpose of the weight, which is what its forward pass multiplies by. */
    derive(plan: Plan, at: ParameterPlaces): Derived {
      const { kernels } = at;
      const slot = plan.reserve(sizes.wTransposed);
      const conv = plan.descriptor('Conv1d');
      return {
        slot,
        describe: () =>
          kernels.write(conv, { ...shape, w: at.parameter('weight'), wTransposed: slot }),
        prepare: () => kernels.run.conv1d_prepare(conv.address),
      };
    },
    reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
      const { kernels } = at;
      const { run } = kernels;
      const isTraining = mode === 'train';
      const conv = plan.descriptor('Conv1d');
      const length = batch * (resample ? resample.steps(steps) : steps) * row;
      const output = plan.reserve(length);
      const gradient = isTraining ? plan.reserve(length) : NONE;
      const windows = plan.reserve(sizes.windows);
      const lefts = plan.reserve(batch);
      // The gradient of the weights reads whole vectors of the inputs.
      const isCopied = isTraining && at.input(0).row < inputRow;
      const own = isCopied ? plan.reserve(batch * steps * inputRow) : NONE;
      const copy = plan.descriptor('Rows');
      // It needs whole sequences, so no rows come after those of a pass.
      const dBias = isTraining && bias ? at.sums('bias') : NONE;
      const dwRest = isTraining ? at.rest('weight') : NONE;
      return {
        output: { slot: output, row },
        gradient,
        describe: () => {
          const x = at.input(0);
          const from = isCopied ? { slot: own, row: inputRow } : x;
          const fromRow = x.row * 4;
          const width = inChannels * 4;
          kernels.write(copy, { to: own, toRow: inputRow * 4, from: x.slot, fromRow, width });
          kernels.integers(lefts).fill(left);
          kernels.write(conv, {
            ...shape,
            stride,
            dilation,
            batch,
            lefts,
            offsets: at.outputOffsets,
            outputOffsets: at.offsets,
            dx: output,
            dxRow: row * 4,
            dy: from.slot,
            dyRow: from.row * 4,
            w: at.parameter('weight'),
            wTransposed: at.derived!.slot,
            bias: bias ? at.parameter('bias') : NONE,
            windows,
            ...sizes.fields,
            product: at.product,
          });
          if (!isTraining) return;
          kernels.write(conv, {
            x: gradient,
            xRow: row * 4,
            yRow: at.gradientOfInput(0).row * 4,
            dw: at.gradient('weight'),
            dwRest,
            dBias,
          });
        },
        arrange: (inputs, outputs) => {
          kernels.set(copy, 'rows', inputs.rows);
          kernels.set(conv, 'steps', outputs.steps);
          kernels.set(conv, 'outputSteps', inputs.steps);
        },
        forward: () => {
          if (isCopied) run.rows_gather(copy.address);
          run.conv_transpose1d_forward(conv.address);
        },
        backward: (wantsInput) => {
          kernels.set(conv, 'y', wantsInput ? at.gradientOfInput(0).slot.address : 0);
          run.conv_transpose1d_backward(conv.address);
        },
      };
    },
  };
}

const { inChannels, outChannels, kernelSize, dilation, bias, activation } = conv1d.options;

export const convTranspose1d: Op<ConvTranspose1dSpec, CompleteConvTranspose1d> = {
  type: 'convTranspose1d',
  options: {
    inChannels: inChannels!,
    outChannels: outChannels!,
    kernelSize: kernelSize!,
    stride: { ...conv1d.options['stride']!, about: 'Steps of outputs from input to input.' },
    padding: {
      kind: 'own',
      expects: PADDINGS,
      check(name, value = 'valid') {
        if (value === 'valid' || value === 'same') return value;
        if (typeof value === 'number') return checkInteger(name, value, 0, MAX_REACH);
        if (Array.isArray(value) && value.length === 2) return checkPadding(name, value);
        const message = `"${name}" expected ${PADDINGS}, got ${show(value)}`;
        throw new GatefoldError('ERR_ARGUMENT', message);
      },
      about: 'Steps of outputs that are left out at the ends.',
      pytorch: 'padding',
      keras: 'padding',
      onnx: 'pads, auto_pad SAME_UPPER',
    },
    outputPadding: {
      kind: 'integer',
      low: 0,
      otherwise: 0,
      about: 'Steps of outputs that are added after the last one.',
      pytorch: 'output_padding',
      keras: 'output_padding',
      onnx: 'output_padding',
    },
    dilation: dilation!,
    bias: bias!,
    activation: activation!,
  },
  complete(spec, { at }) {
    const layer = spec as CompleteConvTranspose1d;
    checkReach(layer, at);
    const { padding, stride, dilation: apart, outputPadding } = layer;
    const most = padding === 'same' ? 0 : Math.max(stride, apart) - 1;
    checkInteger(`${at}.outputPadding`, outputPadding, 0, most);
    return layer;
  },
  sizes(layer) {
    const resample = resampleOf(layer.stride, reachOf(layer).single);
    const { inChannels: inputs, outChannels: outputs } = layer;
    return { inputs, outputs, resample: [resample ?? []].flat() };
  },
  lower(layer, build) {
    build.add(transposeNode(build.top, layer));
    if (layer.activation) lowerActivation(layer.name, layer.activation, build);
  },
};
