import { ACTIVATION_PRELU, ACTIVATION_PRELU_ONE } from '../../assembly/shared/codes.ts';
import { roundUp } from '../base/check.ts';
import { ActivationNode } from './activation.ts';
import type { Op, ParameterSpec } from './op.ts';
import { flag, inputWidth } from './options.ts';

/**
 * A rectifier that learns its slope below 0, `torch.nn.PReLU`: y = x where x >= 0, else weight x,
 * with `weight` [I], or [1] where `shared`.
 */
export interface PreluSpec {
  readonly type: 'prelu';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
  /** Whether all features have one slope; default false. */
  readonly shared?: boolean;
}

export type CompletePrelu = Required<PreluSpec>;

export const prelu: Op<PreluSpec, CompletePrelu> = {
  type: 'prelu',
  options: {
    inputSize: inputWidth({ pytorch: 'num_parameters' }),
    shared: flag(false, {
      about: 'Whether all features have one slope.',
      pytorch: 'num_parameters=1',
      keras: 'shared_axes=[1, 2]',
      onnx: 'slope of [1]',
    }),
  },
  complete: (spec) => spec as CompletePrelu,
  sizes: ({ inputSize }) => ({ inputs: inputSize, outputs: inputSize }),
  lower({ name, inputSize, shared }, build) {
    const kind = shared ? ACTIVATION_PRELU_ONE : ACTIVATION_PRELU;
    const weight: ParameterSpec = {
      role: 'weight',
      name: `${name}.weight`,
      shape: [shared ? 1 : inputSize],
      layout: { row: roundUp(inputSize, 4) },
      initial: { pytorch: { kind: 'fill', value: 0.25 }, keras: { kind: 'fill', value: 0 } },
    };
    build.add(new ActivationNode(name, name, build.top, inputSize, { kind }, [weight]));
  },
};
