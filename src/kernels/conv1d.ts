import { checkFloats, checkInteger, ownFloats, readOptions, roundUp, show } from '../base/check.ts';
import { checkApart, viewOf } from '../base/arrays.ts';
import { HostDisposable } from '../base/disposable.ts';
import { GatefoldError } from '../base/errors.ts';
import {
  MAX_REACH,
  checkPadding,
  convPanels,
  convSizes,
  convSteps,
  convZeros,
} from '../engine/conv1d.ts';
import type { ConvShape } from '../engine/conv1d.ts';
import type { Engine } from '../engine/engine.ts';
import type { Kernels } from '../engine/kernels.ts';
import { permuteTaps } from '../engine/panels.ts';
import { NONE, Plan, part } from '../engine/plan.ts';
import type { Descriptor, Slot } from '../engine/plan.ts';
import { eachRow } from '../graph/rows.ts';
import {
  checkLengths,
  emptyExtent,
  raggedExtent,
  resampledExtent,
  uniformExtent,
} from '../ops/pass.ts';
import type { Extent } from '../ops/pass.ts';
import { getRows, putRows, resultIn, scratch } from './scratch.ts';
import { Shelf } from './shelf.ts';

/** Sizes of a convolution over time, as in PyTorch's `Conv1d`. */
export interface ConvolutionOptions {
  /** I */
  readonly inChannels: number;
  /** O */
  readonly outChannels: number;
  /** K */
  readonly kernelSize: number;
  /** Steps from output to output; default 1. */
  readonly stride?: number;
  /** Steps from tap to tap; default 1. */
  readonly dilation?: number;
  /** Groups of channels that see nothing of each other; default 1. They divide I and O. */
  readonly groups?: number;
  /**
   * Zeros before the first and after the last step, as [left, right] or by a name. `valid` is none
   * (the default); `same` gives T / stride outputs, rounded up, with the odd zero after, as in
   * Keras; `causal` is all before, so that no output depends on a later step.
   */
  readonly padding?: 'valid' | 'same' | 'causal' | readonly [number, number];
  /** [O]; default none. */
  readonly bias?: Float32Array;
}

/** How one call reads its input. */
export interface ConvolutionInput {
  /** T */
  readonly steps: number;
  /** B, default 1. */
  readonly batch?: number;
  /**
   * Valid steps of every row, 0 to T; all T where absent. What follows them is not read, and zeros
   * stand there for the taps. A row of n steps has `outputSteps(n)` outputs, and zeros after them.
   */
  readonly lengths?: ArrayLike<number>;
  /**
   * [dilation (K - 1), B, I] for `causal`: the steps before the first, which the call replaces by
   * the last valid ones. Zeros begin a stream. All calls but the last take a multiple of `stride`
   * steps of each row.
   */
  readonly state?: Float32Array;
}

const KEYS = [
  'inChannels',
  'outChannels',
  'kernelSize',
  'stride',
  'dilation',
  'groups',
  'padding',
  'bias',
] as const;

const shelf = new Shelf<Convolution, { readonly descriptor: Descriptor<'Conv1d'> }>('convolution');

/** Weights of a convolution over time, packed in the engine's memory once. */
export class Convolution extends HostDisposable {
  /** I */
  readonly inChannels: number;
  /** O */
  readonly outChannels: number;
  /** K */
  readonly kernelSize: number;
  /** Steps from output to output. */
  readonly stride: number;
  /** Steps from tap to tap. */
  readonly dilation: number;
  /** Groups of channels that see nothing of each other. */
  readonly groups: number;
  /** As the options say it. */
  readonly padding: 'valid' | 'same' | 'causal' | readonly [number, number];

  private constructor(options: ConvolutionOptions) {
    super();
    const { inChannels, outChannels, kernelSize } = options;
    const { stride = 1, dilation = 1, groups = 1, padding = 'valid' } = options;
    const sizes = { inChannels, outChannels, kernelSize, stride, dilation, groups };
    for (const [name, size] of Object.entries(sizes)) checkInteger(`options.${name}`, size, 1);
    for (const name of ['inChannels', 'outChannels'] as const) {
      if (sizes[name] % groups === 0) continue;
      const message = `"options.${name}" expected a multiple of groups ${groups}, got ${sizes[name]}`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    checkInteger(
      'options.dilation x (options.kernelSize - 1)',
      dilation * (kernelSize - 1),
      0,
      MAX_REACH,
    );
    [this.inChannels, this.outChannels, this.kernelSize] = [inChannels, outChannels, kernelSize];
    [this.stride, this.dilation, this.groups] = [stride, dilation, groups];
    this.padding = checkPadding('options.padding', padding);
    Object.freeze(this);
  }

  /** @internal */
  static pack(engine: Engine, w: Float32Array, options: ConvolutionOptions): Convolution {
    const given = readOptions('options', options, KEYS);
    const convolution = new Convolution(given);
    const shape = shapeOf(convolution);
    const { inputs, outputs, taps, groups } = shape;
    const length = (outputs * inputs * taps) / groups;
    const values = ownFloats('w', w, length, 'outChannels x inChannels / groups x kernelSize');
    const { bias } = given;
    const ownBias =
      bias === undefined ? undefined : ownFloats('options.bias', bias, outputs, 'outChannels');
    const sizes = convSizes(shape);
    const plan = new Plan();
    const [panels, windows, slice] = [sizes.w, sizes.windows, sizes.slice].map((size) =>
      size ? plan.reserve(size) : NONE,
    ) as [Slot, Slot, Slot];
    const vector = ownBias ? plan.reserve(roundUp(outputs, 4)) : NONE;
    const staging = plan.reserve(length);
    const product = plan.descriptor('Product');
    const descriptor = plan.descriptor('Conv1d');
    const move = plan.descriptor('Panels');
    const kernels = shelf.put(engine, convolution, plan, { descriptor });
    packWeight(kernels, shape, values, panels, staging, move);
    if (ownBias) kernels.floats(vector).set(ownBias);
    const { stride, dilation } = convolution;
    const places = { w: panels, bias: vector, windows, slice, product };
    kernels.write(descriptor, { ...shape, stride, dilation, ...places, ...sizes.fields });
    return convolution;
  }

  /** Steps that come out of a sequence of `steps`: T'. None of no step, whatever the padding. */
  outputSteps(steps: number): number {
    return convSteps(checkInteger('steps', steps, 0), this);
  }

  /** Gives its memory back; every use after it throws. */
  dispose(): void {
    shelf.drop(this);
  }
}

const shapeOf = (c: Convolution): ConvShape => ({
  inputs: c.inChannels,
  outputs: c.outChannels,
  taps: c.kernelSize,
  groups: c.groups,
});

/** PyTorch's weight to the panels of all groups. */
function packWeight(
  kernels: Kernels,
  shape: ConvShape,
  weight: Float32Array,
  panels: Slot,
  staging: Slot,
  move: Descriptor<'Panels'>,
): void {
  const { panels: one, count } = convPanels(shape);
  const staged = kernels.floats(staging);
  staged.set(weight);
  permuteTaps(staged, shape.inputs / shape.groups, shape.taps, true);
  for (let group = 0; group < count; group++) {
    kernels.write(move, {
      ...one,
      panels: part(panels, group * one.padded * one.depth),
      plain: part(staging, group * one.hidden * one.depth),
      first: 0,
      rows: one.gates * one.hidden,
    });
    kernels.run.panels_rearrange(move.address, true);
  }
}

/** The caller's row at each place of the extent; absent where it is the same. */
function rowsOf(extent: Extent): Int32Array | undefined {
  if (!extent.order) return undefined;
  const rows = new Int32Array(extent.rows);
  const batch = extent.lengths.length;
  eachRow({ first: 0, total: 0, batchFirst: false, extent }, batch, (place, row) => {
    rows[place] = row;
  });
  return rows;
}

export function conv1d(
  engine: Engine,
  x: Float32Array,
  convolution: Convolution,
  input: ConvolutionInput,
  out: Float32Array | undefined,
): Float32Array {
  const { descriptor } = shelf.of(engine, convolution);
  const { inChannels: inputs, outChannels: outputs, padding } = convolution;
  const given = readOptions('input', input, ['steps', 'batch', 'lengths', 'state']);
  const { steps, batch = 1, state } = given;
  checkInteger('input.steps', steps, 1);
  checkInteger('input.batch', batch, 1);
  const lengths = checkLengths(given.lengths, batch, steps, 'input.lengths');
  if (state !== undefined && padding !== 'causal') {
    const message = `"input.state" needs a convolution with padding 'causal', got ${show(padding)}`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  const history = state === undefined ? 0 : convZeros(steps, convolution)[0];
  const stateLength = history * batch * inputs;
  const shape = 'dilation (K - 1) x batch x inChannels';
  const before =
    state === undefined
      ? undefined
      : viewOf('Float32Array', checkFloats('input.state', state, stateLength, shape));
  const own = ownFloats('x', x, steps * batch * inputs, 'steps x batch x inChannels');
  const outputsOf = (length: number): number => convolution.outputSteps(length);
  const result = resultIn(out, outputsOf(steps) * batch * outputs, "T' x batch x outChannels");
  if (before) checkApart(['input.state', 'out'], [before, result]);
  const extent = lengths
    ? (raggedExtent(lengths, 0, steps) ?? emptyExtent(batch))
    : uniformExtent(steps, batch);
  const resampled = resampledExtent(extent, outputsOf);
  const { order } = extent;
  // A getter of the input may have disposed it.
  shelf.of(engine, convolution);
  return scratch(engine, 'conv1d', (kernels, plan) => {
    const [xRow, yRow] = [roundUp(inputs, 4), roundUp(outputs, 4)];
    const from = plan.reserve(extent.rows * xRow);
    const to = plan.reserve(resampled.rows * yRow);
    const states = plan.reserve(history * batch * xRow);
    const lefts = plan.reserve(batch);
    const [offsets, outputOffsets] = [extent, resampled].map((own) =>
      plan.reserve(own.offsets.length),
    ) as [Slot, Slot];
    return () => {
      const rowsOfState = rowsOf({ ...uniformExtent(history, batch), order });
      putRows(kernels, from, own, inputs, rowsOf(extent));
      if (before) putRows(kernels, states, before, inputs, rowsOfState);
      kernels.integers(offsets).set(extent.offsets);
      kernels.integers(outputOffsets).set(resampled.offsets);
      kernels.integers(lefts).set(extent.lengths.map((n) => convZeros(n, convolution)[0]));
      kernels.write(descriptor, { lefts, history, batch });
      kernels.write(descriptor, { steps: extent.steps, outputSteps: resampled.steps });
      kernels.write(descriptor, { offsets, outputOffsets, state: states });
      kernels.write(descriptor, { stateAfter: history ? states : NONE, stateRow: 4 * xRow });
      kernels.write(descriptor, { x: from, xRow: 4 * xRow, y: to, yRow: 4 * yRow });
      kernels.run.conv1d_forward(descriptor.address);
      if (order) result.fill(0);
      getRows(kernels, to, result, outputs, rowsOf(resampled));
      if (before) getRows(kernels, states, before, inputs, rowsOfState);
      return out ?? result;
    };
  });
}
