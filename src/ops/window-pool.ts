import { checkInteger, roundUp } from '../base/check.ts';
import { checkPadding, convZeros } from '../engine/conv1d.ts';
import type { ConvReach } from '../engine/conv1d.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import { resampleOf } from './conv1d.ts';
import { reserveHistory } from './history.ts';
import type { Bound, Node, Op, PassSize, Places, Resample, Sizes, StateSpec } from './op.ts';
import { count, flag, inputWidth } from './options.ts';
import type { OptionSpec, OptionTable } from './options.ts';
import { resampledExtent } from './pass.ts';

/** The largest of `poolSize` steps, element by element. Steps of the padding are none. */
export interface MaxPool1dSpec {
  readonly type: 'maxPool1d';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Steps of a window. */
  readonly poolSize: number;
  /** Steps from window to window; default `poolSize`. */
  readonly stride?: number;
  /**
   * Steps of padding before the first and after the last valid step, as [left, right], each below
   * `poolSize`, or by a name, as those of a convolution; default `valid`.
   */
  readonly padding?: 'valid' | 'same' | 'causal' | readonly [number, number];
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

/** The mean of `poolSize` steps. */
export interface AveragePool1dSpec extends Omit<MaxPool1dSpec, 'type'> {
  readonly type: 'averagePool1d';
  /** Whether zeros of the padding count, as in PyTorch; Keras never counts them. Default true. */
  readonly countPadding?: boolean;
}

/** Every step `size` times. */
export interface Upsample1dSpec {
  readonly type: 'upsample1d';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** How many times each step comes out. */
  readonly size: number;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

export type CompleteMaxPool1d = Required<MaxPool1dSpec>;
export type CompleteAveragePool1d = Required<AveragePool1dSpec>;
export type CompleteUpsample1d = Required<Upsample1dSpec>;

/** Windows of steps: of inputs that are pooled, of outputs that repeat an input. */
interface Windows extends ConvReach {
  readonly isMax: boolean;
  /** Of a mean: 0 for the valid steps of a window. */
  readonly divisor: number;
  readonly isRepeated: boolean;
}

/** Makes every window one step, or every step a window. */
function windowNode(
  name: string,
  source: number,
  width: number,
  windows: Windows,
  resample: Resample | undefined,
): Node {
  const { isMax, isRepeated, divisor, kernelSize: size, stride, padding } = windows;
  const row = roundUp(width, 4);
  const isStreamed = padding === 'causal' && stride === 1;
  const history = isStreamed ? size - 1 : 0;
  const h: StateSpec = {
    role: 'h',
    count: history,
    width: width + 1,
    row: roundUp(width + 1, 4),
    meaning: ['steps', 'features and mark'],
  };
  const remedy = isRepeated ? '' : "describe it with padding: 'causal' and stride: 1, or ";
  const noStream = `a stream cannot run "${name}", which takes or makes several steps at once: ${remedy}use model.forward()`;
  return {
    layer: name,
    name,
    sources: [source],
    inputs: width,
    outputs: width,
    parameters: [],
    states: history ? [h] : [],
    isWhole: !isStreamed,
    ...(!isStreamed && { noStream }),
    ...(resample && { resample }),
    rowLength: row,
    reserve(plan: Plan, at: Places, passSize: PassSize): Bound {
      const { batch, steps, mode } = passSize;
      const { kernels } = at;
      const length = batch * (resample ? resample.steps(steps) : steps) * row;
      const isTraining = mode === 'train';
      const pool = plan.descriptor('WindowPool');
      const output = { slot: plan.reserve(length), row };
      const gradient = { slot: isTraining ? plan.reserve(length) : NONE, row };
      const chosen = isTraining && isMax ? plan.reserve(length) : NONE;
      const spans = plan.reserve(2 * batch);
      const kept = history ? reserveHistory(plan, history, h.row, passSize) : undefined;
      const copy = plan.descriptor('Rows');
      const { window_pool_backward: spread, window_pool_forward: pick } = kernels.run;
      return {
        output,
        gradient: gradient.slot,
        states: kept ? [kept.state] : [],
        describe: () => {
          const x = at.input(0);
          const given = kept ? { slot: kept.values, row: h.row } : x;
          const there = [given, output, at.offsets, at.outputOffsets] as const;
          const back = [gradient, at.gradientOfInput(0), at.outputOffsets, at.offsets] as const;
          // What is repeated goes the way of the gradient of a mean, and back that of its sums.
          const [[from, y, offsets, outputOffsets], [dy, dx]] = isRepeated
            ? [back, there]
            : [there, back];
          kernels.write(pool, {
            isMax: Number(isMax),
            size,
            stride,
            divisor,
            batch,
            history,
            width: width * 4,
            xRow: from.row * 4,
            yRow: y.row * 4,
            dyRow: dy.row * 4,
            dxRow: dx.row * 4,
            spans,
            offsets,
            outputOffsets,
            x: from.slot,
            y: y.slot,
            dy: dy.slot,
            dx: dx.slot,
            chosen,
            dState: kept?.state.gradient ?? NONE,
          });
          if (!kept) return;
          const [fromRow, toRow] = [x.row * 4, h.row * 4];
          const rows = { to: kept.own, toRow, from: x.slot, fromRow, width: width * 4 };
          kernels.write(copy, rows);
          const marked = kernels.floats(kept.own);
          for (let k = width; k < marked.length; k += h.row) marked[k] = 1;
        },
        arrange: (inputs, outputs) => {
          const [wide, narrow] = isRepeated ? [outputs, inputs] : [inputs, outputs];
          const each = [...wide.lengths].flatMap((count) => [convZeros(count, windows)[0], count]);
          kernels.integers(spans).set(each);
          kernels.set(pool, 'steps', wide.steps);
          kernels.set(pool, 'outputSteps', narrow.steps);
          kernels.set(copy, 'rows', inputs.rows);
        },
        forward: () => {
          if (kept) kernels.run.rows_gather(copy.address);
          (isRepeated ? spread : pick)(pool.address);
        },
        backward: (wantsInput) => {
          if (wantsInput) (isRepeated ? pick : spread)(pool.address);
        },
      };
    },
  };
}

const inputSize: OptionSpec = inputWidth();
const sizesOf = (width: number, resample: Resample | undefined): Sizes => ({
  inputs: width,
  outputs: width,
  resample: [resample ?? []].flat(),
});

function reachOf({
  poolSize,
  stride,
  padding,
}: CompleteMaxPool1d | CompleteAveragePool1d): ConvReach {
  return { kernelSize: poolSize, stride, dilation: 1, padding };
}

/** Every step `size` times; `undefined` for once. */
function repeating(size: number): Resample | undefined {
  if (size === 1) return undefined;
  const steps = (n: number): number => n * size;
  const extent: Resample['extent'] = (inputs) => resampledExtent(inputs, steps);
  return { pools: false, key: `up ${size}`, steps, extent };
}

function poolOp<
  Spec extends MaxPool1dSpec | AveragePool1dSpec,
  Complete extends CompleteMaxPool1d | CompleteAveragePool1d,
>(type: Spec['type'], own: OptionTable): Op<Spec, Complete> {
  return {
    type,
    options: {
      poolSize: count({
        about: 'Steps of a window.',
        pytorch: 'kernel_size',
        keras: 'pool_size',
        onnx: 'kernel_shape',
      }),
      stride: count({
        about: 'Steps from window to window; `poolSize` where absent.',
        pytorch: 'stride',
        keras: 'strides',
        onnx: 'strides',
        otherwise: 'off',
      }),
      padding: {
        kind: 'own',
        expects: "'valid', 'same', 'causal' or [left, right], each below poolSize",
        check: (name, value = 'valid') => checkPadding(name, value),
        about: 'Steps of padding before the first and after the last valid step.',
        pytorch: 'padding',
        keras: 'padding',
        onnx: 'pads, auto_pad SAME_UPPER',
      },
      ...own,
      inputSize,
    },
    prepare: (spec) => ({
      ...spec,
      stride: spec.stride === undefined ? spec.poolSize : spec.stride,
    }),
    complete(spec, { at }) {
      const { padding, poolSize } = spec;
      if (typeof padding === 'object') {
        padding.forEach((n, k) => checkInteger(`${at}.padding[${k}]`, n, 0, poolSize - 1));
      }
      return spec as unknown as Complete;
    },
    sizes: (layer: CompleteMaxPool1d | CompleteAveragePool1d) =>
      sizesOf(layer.inputSize, resampleOf(reachOf(layer))),
    lower(layer: CompleteMaxPool1d | CompleteAveragePool1d, build) {
      const { name, poolSize } = layer;
      const reach = reachOf(layer);
      const isMax = !('countPadding' in layer);
      const divisor = !isMax && layer.countPadding ? poolSize : 0;
      const windows = { ...reach, isMax, divisor, isRepeated: false };
      build.add(windowNode(name, build.top, layer.inputSize, windows, resampleOf(reach)));
    },
  };
}

export const maxPool1d: Op<MaxPool1dSpec, CompleteMaxPool1d> = poolOp('maxPool1d', {});

export const averagePool1d: Op<AveragePool1dSpec, CompleteAveragePool1d> = poolOp('averagePool1d', {
  countPadding: flag(true, {
    about: 'Whether zeros of the padding count.',
    pytorch: 'count_include_pad',
    onnx: 'count_include_pad',
  }),
});

export const upsample1d: Op<Upsample1dSpec, CompleteUpsample1d> = {
  type: 'upsample1d',
  options: {
    size: count({
      about: 'How many times every step is there.',
      pytorch: 'scale_factor',
      keras: 'size',
      onnx: 'scales',
    }),
    inputSize,
  },
  complete: (spec) => spec as CompleteUpsample1d,
  sizes: ({ size, inputSize: width }) => sizesOf(width, repeating(size)),
  lower({ name, size, inputSize: width }, build) {
    const windows = {
      kernelSize: size,
      stride: size,
      dilation: 1,
      padding: 'valid',
      isMax: false,
      divisor: 1,
      isRepeated: true,
    } as const;
    build.add(windowNode(name, build.top, width, windows, repeating(size)));
  },
};
