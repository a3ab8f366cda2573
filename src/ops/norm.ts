import { roundUp } from '../base/check.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import type { Bound, Node, Op, ParameterSpec, PassSize, Places } from './op.ts';
import { flag, inputWidth } from './options.ts';

/**
 * Layer normalisation over the features of every row, `torch.nn.LayerNorm`: y = (x - mean) /
 * sqrt(var + eps) gamma + beta, with `weight` (gamma) and `bias` (beta), [I] each.
 */
export interface LayerNormSpec {
  readonly type: 'layerNorm';
  readonly name?: string;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
  /** Added to the variance; default 1e-5 (PyTorch; Keras has 1e-3). */
  readonly eps?: number;
  /** Whether there is a gamma; default true. */
  readonly scale?: boolean;
  /** Whether there is a beta; default true. */
  readonly bias?: boolean;
}

export type CompleteLayerNorm = Required<LayerNormSpec>;

class LayerNormNode implements Node {
  readonly states = [];
  readonly isRowwise = true;
  readonly sources: readonly number[];
  readonly name: string;
  readonly layer: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly rowLength: number;
  readonly parameters: readonly ParameterSpec[];
  readonly #layer: CompleteLayerNorm;

  constructor(source: number, layer: CompleteLayerNorm) {
    const { name, inputSize, scale, bias } = layer;
    this.sources = [source];
    this.name = name;
    this.layer = name;
    this.inputs = inputSize;
    this.outputs = inputSize;
    this.rowLength = roundUp(inputSize, 4);
    this.#layer = layer;
    const vector = (role: string, value: number): ParameterSpec => {
      const initial = { kind: 'fill', value } as const;
      return {
        role,
        name: `${name}.${role}`,
        shape: [inputSize],
        layout: { row: this.rowLength },
        initial: { pytorch: initial, keras: initial },
      };
    };
    this.parameters = [
      ...(scale ? [vector('weight', 1)] : []),
      ...(bias ? [vector('bias', 0)] : []),
    ];
  }

  reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
    const { kernels } = at;
    const { run } = kernels;
    const { scale, bias, eps: epsilon } = this.#layer;
    const row = this.rowLength;
    const isTraining = mode === 'train';
    const norm = plan.descriptor('LayerNorm');
    const output = plan.reserve(batch * steps * row);
    const gradient = isTraining ? plan.reserve(batch * steps * row) : NONE;
    const scratch = isTraining ? plan.reserve(2 * row) : NONE;
    return {
      output: { slot: output, row },
      gradient,
      describe: () => {
        const x = at.input(0);
        kernels.write(norm, {
          width: this.inputs,
          epsilon,
          x: x.slot,
          xRow: x.row * 4,
          y: output,
          yRow: row * 4,
          gamma: scale ? at.parameter('weight') : NONE,
          beta: bias ? at.parameter('bias') : NONE,
          scratch,
        });
        if (!isTraining) return;
        const dx = at.gradientOfInput(0);
        kernels.write(norm, {
          dy: gradient,
          dyRow: row * 4,
          dxRow: dx.row * 4,
          dGamma: scale ? at.gradient('weight') : NONE,
          dBeta: bias ? at.gradient('bias') : NONE,
        });
      },
      arrange: ({ rows }) => kernels.set(norm, 'rows', rows),
      forward: () => run.layer_norm_forward(norm.address),
      backward: (wantsInput) => {
        kernels.set(norm, 'dx', wantsInput ? at.gradientOfInput(0).slot.address : 0);
        run.layer_norm_backward(norm.address);
      },
    };
  }
}

export const layerNorm: Op<LayerNormSpec, CompleteLayerNorm> = {
  type: 'layerNorm',
  options: {
    inputSize: inputWidth({ pytorch: 'normalized_shape' }),
    eps: {
      kind: 'number',
      low: 1e-12,
      high: 1,
      otherwise: 1e-5,
      about: 'Added to the variance.',
      pytorch: 'eps',
      keras: 'epsilon',
      onnx: 'epsilon',
    },
    scale: flag(true, {
      about: 'Whether there is a gamma, `weight`.',
      pytorch: 'elementwise_affine',
      keras: 'scale',
      onnx: 'Scale',
    }),
    bias: flag(true, {
      about: 'Whether there is a beta, `bias`.',
      pytorch: 'bias',
      keras: 'center',
      onnx: 'B',
    }),
  },
  complete: (spec) => spec as CompleteLayerNorm,
  sizes: ({ inputSize }) => ({ inputs: inputSize, outputs: inputSize }),
  lower: (layer, build) => void build.add(new LayerNormNode(build.top, layer)),
};
