import { roundUp } from '../base/check.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import { MASK_DROPOUT, Mask } from './masks.ts';
import type { Bound, Node, Op, ParameterSpec, PassSize, Places, StateSpec } from './op.ts';
import { inputWidth } from './options.ts';

/** Dropout as a layer, `torch.nn.Dropout`: in training a mask for every step, else nothing. */
export interface DropoutSpec {
  readonly type: 'dropout';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Probability of 0; the other features are divided by 1 - rate. Default 0.5. */
  readonly rate?: number;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

export type CompleteDropout = Required<DropoutSpec>;

/**
 * Dropout: zeroes each value with probability `rate` and scales the rest by 1 / (1 - rate);
 * identity in inference. `fixed`: all steps of a row share a mask.
 */
export class DropoutNode implements Node {
  readonly parameters: readonly ParameterSpec[] = [];
  readonly states: readonly StateSpec[] = [];
  readonly isRowwise = true;
  readonly name: string;
  readonly layer: string;
  readonly sources: readonly number[];
  readonly inputs: number;
  readonly outputs: number;
  readonly rowLength: number;
  readonly #rate: number;
  readonly #fixed: boolean;

  constructor(layer: string, source: number, inputs: number, rate: number, fixed: boolean) {
    this.layer = layer;
    this.sources = [source];
    this.inputs = inputs;
    this.#rate = rate;
    this.#fixed = fixed;
    this.name = `${layer}.dropout`;
    this.outputs = inputs;
    this.rowLength = roundUp(inputs, 4);
  }

  reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
    const { kernels } = at;
    // Without training there is nothing to drop.
    if (mode !== 'train') return { output: at.input(0), gradient: NONE, forward: () => undefined };
    const row = this.rowLength;
    const [rate, fixed] = [this.#rate, this.#fixed];
    const stream = at.stream + MASK_DROPOUT;
    const value = 1 / (1 - rate);
    const mask = new Mask(plan, batch, steps, {
      width: this.inputs,
      row,
      stream,
      fixed,
      rate,
      value,
    });
    const forward = plan.descriptor('Masked');
    const backward = plan.descriptor('Masked');
    const output = plan.reserve(batch * steps * row);
    const gradient = plan.reserve(batch * steps * row);
    return {
      output: { slot: output, row },
      gradient,
      describe: () => {
        mask.describe(kernels);
        const { offsets } = at;
        const common = { fixed: Number(fixed), width: row * 4, maskRow: row * 4, offsets };
        const [x, dx] = [at.input(0), at.gradientOfInput(0)];
        const by = { ...common, mask: mask.slot };
        kernels.write(forward, { ...by, x: x.slot, xRow: x.row * 4, y: output, yRow: row * 4 });
        const [y, yRow] = [dx.slot, dx.row * 4];
        kernels.write(backward, { ...by, x: gradient, xRow: row * 4, y, yRow });
      },
      arrange: ({ steps }) => {
        kernels.set(forward, 'steps', steps);
        kernels.set(backward, 'steps', steps);
      },
      mask: (extent, draw) => {
        if (draw) mask.draw(kernels, extent, draw);
        else kernels.floats(mask.slot).fill(1);
      },
      forward: () => kernels.run.rows_mask(forward.address),
      backward: (wantsInput) => {
        if (wantsInput) kernels.run.rows_mask(backward.address);
      },
    };
  }
}

export const dropout: Op<DropoutSpec, CompleteDropout> = {
  type: 'dropout',
  options: {
    rate: {
      kind: 'number',
      low: 0,
      high: 0.999,
      otherwise: 0.5,
      about: 'In training: the probability that a feature is 0.',
      pytorch: 'p',
      keras: 'rate',
      onnx: 'ratio',
    },
    inputSize: inputWidth(),
  },
  complete: (spec) => spec as CompleteDropout,
  sizes: ({ inputSize }) => ({ inputs: inputSize, outputs: inputSize }),
  lower: ({ name, inputSize, rate }, build) =>
    void build.add(new DropoutNode(name, build.top, inputSize, rate, false)),
};
