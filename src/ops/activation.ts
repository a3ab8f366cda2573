import { roundUp } from '../base/check.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import { activationCode, checkActivation } from './activations.ts';
import type { ActivationCode, RowActivation } from './activations.ts';
import type {
  Bound,
  GraphBuilder,
  Node,
  Op,
  ParameterSpec,
  PassSize,
  Places,
  StateSpec,
} from './op.ts';
import { inputWidth } from './options.ts';

/**
 * An activation at every step: of every feature, or with `softmax` and `logSoftmax` over the
 * features of a row. The formulas are those of ONNX's operators of the same names, as those of the
 * mathematics beside them are.
 */
export interface ActivationLayerSpec {
  readonly type: 'activation';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** The activation, by its name or with numbers of its own. */
  readonly activation: RowActivation;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
}

export type CompleteActivation = Required<ActivationLayerSpec>;

/** y = a(x) of every row; a prelu has its slopes as a parameter, `weight`. */
export class ActivationNode implements Node {
  readonly parameters: readonly ParameterSpec[];
  readonly states: readonly StateSpec[] = [];
  readonly isRowwise = true;
  readonly layer: string;
  readonly name: string;
  readonly sources: readonly number[];
  readonly inputs: number;
  readonly outputs: number;
  readonly rowLength: number;
  readonly #code: Partial<ActivationCode>;

  constructor(
    layer: string,
    name: string,
    source: number,
    inputs: number,
    code: Partial<ActivationCode>,
    parameters: readonly ParameterSpec[] = [],
  ) {
    this.layer = layer;
    this.name = name;
    this.sources = [source];
    this.inputs = inputs;
    this.#code = code;
    this.outputs = inputs;
    this.rowLength = roundUp(inputs, 4);
    this.parameters = parameters;
  }

  reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
    const { kernels } = at;
    const { run } = kernels;
    const row = this.rowLength;
    const isTraining = mode === 'train';
    const layer = plan.descriptor('ActivationLayer');
    const output = plan.reserve(batch * steps * row);
    const gradient = isTraining ? plan.reserve(batch * steps * row) : NONE;
    const scratch = plan.reserve(row);
    const [slopes] = this.parameters;
    const dSlopes = isTraining && slopes ? at.sums('weight') : NONE;
    return {
      output: { slot: output, row },
      gradient,
      describe: () => {
        const x = at.input(0);
        kernels.write(layer, {
          ...this.#code,
          width: this.inputs,
          x: x.slot,
          xRow: x.row * 4,
          y: output,
          yRow: row * 4,
          scratch,
        });
        if (slopes) kernels.set(layer, 'slopes', at.parameter('weight'));
        if (!isTraining) return;
        const dx = at.gradientOfInput(0);
        const gradients = { dy: gradient, dyRow: row * 4, dx: dx.slot, dxRow: dx.row * 4 };
        kernels.write(layer, { ...gradients, dSlopes });
      },
      arrange: ({ rows }) => kernels.set(layer, 'rows', rows),
      forward: () => run.activation_forward(layer.address),
      backward: (wantsInput) => {
        if (wantsInput || slopes) run.activation_backward(layer.address);
      },
    };
  }
}

/** Adds an activation of the outputs of a layer. */
export function lowerActivation(
  layer: string,
  activation: RowActivation,
  build: GraphBuilder,
): void {
  const { outputs } = build.at(build.top)!;
  const name = `${layer}.activation`;
  build.add(new ActivationNode(layer, name, build.top, outputs, activationCode(activation)));
}

export const activation: Op<ActivationLayerSpec, CompleteActivation> = {
  type: 'activation',
  options: {
    activation: {
      kind: 'own',
      expects: 'an activation',
      check: checkActivation,
      otherwise: 'needed',
      about: 'The activation, by its name or as { type, alpha, beta }.',
      keras: 'activation',
    },
    inputSize: inputWidth(),
  },
  complete: (spec) => spec as CompleteActivation,
  sizes: ({ inputSize }) => ({ inputs: inputSize, outputs: inputSize }),
  lower({ name, inputSize, activation }, build) {
    build.add(new ActivationNode(name, name, build.top, inputSize, activationCode(activation)));
  },
};
