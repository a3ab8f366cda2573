/**
 * A recurrent layer of gatefold as an ONNX graph: one RNN, LSTM or GRU node for each of its
 * `numLayers`. ONNX puts both biases of a layer into one tensor, and a direction before the batch:
 * [D, G*H, I], [D, 2*G*H], [D, B, H], and Y [T, D, B, H].
 */
import type { Activation, ActivationName } from '../../src/ops/activations.ts';
import {
  gatesOf,
  peepholeGatesOf,
  reorderGates,
  type NamedTensors,
  type RecurrentLayer,
} from './gates.ts';
import { encodeOnnx, type OnnxAttribute, type OnnxNode, type OnnxTensor } from './onnx-writer.ts';

const OP_TYPES = { rnn: 'RNN', lstm: 'LSTM', gru: 'GRU' };

/** Those that ONNX's recurrent operators do not have. */
const MISSING = ['gelu', 'silu', 'selu'] as const;
type OnnxActivation = Exclude<ActivationName, (typeof MISSING)[number]>;

/**
 * Names, and the alpha and beta of those that have them where none are given: ONNX's, which are
 * gatefold's.
 */
const ACTIVATIONS: Readonly<Record<OnnxActivation, readonly [string, number?, number?]>> = {
  relu: ['Relu'],
  tanh: ['Tanh'],
  sigmoid: ['Sigmoid'],
  affine: ['Affine', 1, 0],
  leakyRelu: ['LeakyRelu', 0.01],
  thresholdedRelu: ['ThresholdedRelu', 1],
  scaledTanh: ['ScaledTanh', 1, 1],
  hardSigmoid: ['HardSigmoid', 0.2, 0.5],
  elu: ['Elu', 1],
  softsign: ['Softsign'],
  softplus: ['Softplus'],
  identity: ['Affine', 1, 0],
};

/** Whether ONNX has all activations of a layer. */
export function hasOnnxActivations({
  activations = [],
}: Pick<RecurrentLayer, 'activations'>): boolean {
  const missing: readonly string[] = MISSING;
  return activations.every((given) => !missing.includes(nameOf(given)));
}

const nameOf = (given: Activation): ActivationName =>
  typeof given === 'string' ? given : given.type;

/**
 * The lists of a node. onnxruntime takes a number from `activation_alpha` for each activation that
 * needs one and for no other, and has defaults of its own for some: all are given.
 */
function activationAttributes(list: readonly Activation[]): Record<string, OnnxAttribute> {
  const numbers: [number[], number[]] = [[], []];
  const names = list.map((given) => {
    const { type, alpha, beta }: Exclude<Activation, string> =
      typeof given === 'string' ? { type: given } : given;
    const [name, ...defaults] = ACTIVATIONS[type as OnnxActivation];
    [alpha, beta].forEach((value, k) => {
      if (defaults[k] !== undefined) numbers[k]!.push(value ?? defaults[k]);
    });
    return name;
  });
  const [alphas, betas] = numbers;
  return {
    activations: names,
    ...(alphas.length ? { activation_alpha: Float32Array.from(alphas) } : {}),
    ...(betas.length ? { activation_beta: Float32Array.from(betas) } : {}),
  };
}

/** The usual activations of a direction. */
function usualOf(spec: RecurrentLayer): readonly Activation[] {
  if (spec.type === 'lstm') return ['sigmoid', 'tanh', 'tanh'];
  return spec.type === 'gru' ? ['sigmoid', 'tanh'] : [spec.nonlinearity ?? 'tanh'];
}

const suffixesOf = ({ bidirectional }: RecurrentLayer): readonly string[] =>
  bidirectional ? ['', '_reverse'] : [''];

function attributesOf(spec: RecurrentLayer): Record<string, OnnxAttribute> {
  const attributes: Record<string, OnnxAttribute> = { hidden_size: spec.hiddenSize };
  const usual = usualOf(spec);
  const given = spec.activations ?? usual;
  const directions = suffixesOf(spec).length;
  if (spec.activations || spec.type === 'rnn') {
    const each = given.length === usual.length * directions ? given : [...given, ...given];
    Object.assign(attributes, activationAttributes(each));
  }
  if (spec.bidirectional) attributes['direction'] = 'bidirectional';
  else if (spec.direction === 'backward') attributes['direction'] = 'reverse';
  if (spec.clip !== undefined) attributes['clip'] = { float: spec.clip };
  if (spec.type === 'lstm' && spec.inputForget) attributes['input_forget'] = 1;
  if (spec.type === 'gru') attributes['linear_before_reset'] = spec.resetAfter === false ? 0 : 1;
  return attributes;
}

/** W, R, and B and P where there are some, of sub-layer k, under the names `W_l0`, ... */
function initializersOf(
  spec: RecurrentLayer,
  name: string,
  k: number,
  tensors: NamedTensors,
): OnnxTensor[] {
  const from = gatesOf(spec, 'gatefold');
  const to = gatesOf(spec, 'onnx');
  const rows = to.length * spec.hiddenSize;
  const suffixes = suffixesOf(spec);
  const D = suffixes.length;
  /** One direction behind the other, and in each the given parameters. */
  const converted = (
    parameters: readonly string[],
    [ours, theirs]: readonly (readonly string[])[] = [from, to],
  ): Float32Array => {
    const parts = suffixes.flatMap((suffix) =>
      parameters.map((parameter) =>
        reorderGates(tensors.get(`${name}.${parameter}_l${k}${suffix}`)!.data, ours!, theirs!),
      ),
    );
    return Float32Array.from(parts.flatMap((part) => [...part]));
  };

  const inputSize = k === 0 ? spec.inputSize : D * spec.hiddenSize;
  const list: OnnxTensor[] = [
    { name: `W_l${k}`, dims: [D, rows, inputSize], data: converted(['weight_ih']) },
    { name: `R_l${k}`, dims: [D, rows, spec.hiddenSize], data: converted(['weight_hh']) },
  ];
  if (spec.bias ?? true) {
    const both = converted(['bias_ih', 'bias_hh']);
    list.push({ name: `B_l${k}`, dims: [D, 2 * rows], data: both });
  }
  if (spec.type === 'lstm' && spec.peephole) {
    const [ours, theirs] = [peepholeGatesOf(spec, 'gatefold'), peepholeGatesOf(spec, 'onnx')];
    list.push({
      name: `P_l${k}`,
      dims: [D, theirs.length * spec.hiddenSize],
      data: converted(['weight_peephole'], [ours, theirs]),
    });
  }
  return list;
}

/** Inputs that a node may do without. */
export interface OnnxInputs {
  /** Valid steps of every row, a constant of the graph; all are valid where absent. */
  readonly lengths?: Int32Array;
  /** Whether initial states are inputs of the graph; else they are zero. */
  readonly initial?: boolean;
}

/**
 * Inputs `x` [T, B, I], `h0_l0`, ... and for an LSTM `c0_l0`, ..., each [D, B, H]; outputs `y` [T,
 * D, B, H] and `hn_l0`, ..., `cn_l0`, ... The parameters are constants of the graph.
 */
export function onnxModel(
  spec: RecurrentLayer,
  name: string,
  tensors: NamedTensors,
  { lengths, initial = true }: OnnxInputs = {},
): Uint8Array {
  if (spec.type === 'lstm' && spec.peephole === 'cell') {
    throw new Error('ONNX has only diagonal peepholes');
  }
  const layers = Array.from({ length: spec.numLayers ?? 1 }, (_, k) => k);
  const states = spec.type === 'lstm' ? ['h', 'c'] : ['h'];
  const last = layers.length - 1;
  // [T, D, B, H] to [T, B, D H] between the nodes.
  const shape: OnnxTensor = { name: 'shape', dims: [3], data: BigInt64Array.of(0n, 0n, -1n) };
  const initializers = layers.map((k) => initializersOf(spec, name, k, tensors));

  const nodes = layers.flatMap((k): OnnxNode[] => {
    const given = new Set(initializers[k]!.map((tensor) => tensor.name));
    const orNone = (tensor: string): string => (given.has(tensor) ? tensor : '');
    const y = k === last ? 'y' : `y_l${k}`;
    const recurrent: OnnxNode = {
      opType: OP_TYPES[spec.type],
      inputs: [
        k === 0 ? 'x' : `x_l${k}`,
        `W_l${k}`,
        `R_l${k}`,
        orNone(`B_l${k}`),
        lengths ? 'lengths' : '',
        ...states.map((s) => (initial ? `${s}0_l${k}` : '')),
        ...(spec.type === 'lstm' ? [orNone(`P_l${k}`)] : []),
      ],
      outputs: [y, ...states.map((s) => `${s}n_l${k}`)],
      attributes: attributesOf(spec),
    };
    if (k === last) return [recurrent];
    const [swapped, next] = [`swapped_l${k}`, `x_l${k + 1}`];
    const attributes = { perm: Int32Array.of(0, 2, 1, 3) };
    return [
      recurrent,
      { opType: 'Transpose', inputs: [y], outputs: [swapped], attributes },
      { opType: 'Reshape', inputs: [swapped, shape.name], outputs: [next] },
    ];
  });

  return encodeOnnx({
    inputs: [
      { name: 'x', dims: ['T', 'B', spec.inputSize] },
      ...layers.flatMap((k) =>
        (initial ? states : []).map((s) => ({
          name: `${s}0_l${k}`,
          dims: [suffixesOf(spec).length, 'B', spec.hiddenSize],
        })),
      ),
    ],
    outputs: ['y', ...layers.flatMap((k) => states.map((s) => `${s}n_l${k}`))],
    initializers: [
      ...(last > 0 ? [shape] : []),
      ...(lengths ? [{ name: 'lengths', dims: [lengths.length], data: lengths }] : []),
      ...initializers.flat(),
    ],
    nodes,
  });
}
