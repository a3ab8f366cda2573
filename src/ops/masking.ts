import { roundUp } from '../base/check.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import type { Bound, Node, Op, PassSize, Places } from './op.ts';
import { inputWidth } from './options.ts';

/**
 * Masks the steps all of whose features are `value`, Keras' `Masking`: recurrent layers keep their
 * states at such a step and repeat their last output, and a pool of mode `mean` leaves it out. The
 * features become zeros.
 */
export interface MaskingSpec {
  readonly type: 'masking';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Default 0. */
  readonly value?: number;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

export type CompleteMasking = Required<MaskingSpec>;

function maskingNode({ name, value, inputSize: inputs }: CompleteMasking, source: number): Node {
  const row = roundUp(inputs, 4);
  return {
    layer: name,
    name,
    sources: [source],
    inputs,
    outputs: inputs,
    parameters: [],
    states: [],
    isRowwise: true,
    rowLength: row,
    reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
      const { kernels } = at;
      const rows = batch * steps;
      const descriptor = plan.descriptor('Masking');
      const output = plan.reserve(rows * row);
      const masked = plan.reserve(rows);
      const gradient = mode === 'train' ? plan.reserve(rows * row) : NONE;
      return {
        output: { slot: output, row },
        gradient,
        masked,
        describe: () => {
          const [x, dx] = [at.input(0), at.gradientOfInput(0)];
          kernels.write(descriptor, {
            value,
            width: inputs * 4,
            xRow: x.row * 4,
            yRow: row * 4,
            dxRow: dx.row * 4,
            x: x.slot,
            y: output,
            masked,
            dy: gradient,
            dx: dx.slot,
          });
        },
        arrange: (extent) => kernels.set(descriptor, 'rows', extent.rows),
        forward: () => kernels.run.masking_forward(descriptor.address),
        backward: (wantsInput) => {
          if (wantsInput) kernels.run.masking_backward(descriptor.address);
        },
      };
    },
  };
}

/** The largest number of float32. */
const LARGEST = 2 ** 128 - 2 ** 104;

export const masking: Op<MaskingSpec, CompleteMasking> = {
  type: 'masking',
  options: {
    value: {
      kind: 'number',
      low: -LARGEST,
      high: LARGEST,
      otherwise: 0,
      about: 'What all features of a step are where it is masked.',
      keras: 'mask_value',
    },
    inputSize: inputWidth(),
  },
  complete: (spec) => spec as CompleteMasking,
  sizes: ({ inputSize }) => ({ inputs: inputSize, outputs: inputSize }),
  lower: (layer, build) => void build.add(maskingNode(layer, build.top)),
};
