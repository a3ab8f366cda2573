/**
 * A recurrent layer of gatefold as an ONNX graph: one RNN, LSTM or GRU node for each of its
 * `numLayers`. ONNX puts both biases of a layer into one tensor, and a direction before the batch:
 * [1, G*H, I], [1, 2*G*H], [1, B, H], and Y [T, 1, B, H].
 */
import {
  gatesOf,
  peepholeGatesOf,
  reorderGates,
  type NamedTensors,
  type RecurrentLayer,
} from './gates.ts';
import { encodeOnnx, type OnnxAttribute, type OnnxNode, type OnnxTensor } from './onnx-writer.ts';

const OP_TYPES = { rnn: 'RNN', lstm: 'LSTM', gru: 'GRU' };

function attributesOf(spec: RecurrentLayer): Record<string, OnnxAttribute> {
  const attributes: Record<string, OnnxAttribute> = { hidden_size: spec.hiddenSize };
  if (spec.type === 'rnn') {
    attributes['activations'] = [spec.nonlinearity === 'relu' ? 'Relu' : 'Tanh'];
  }
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
  const converted = (parameter: string): Float32Array =>
    reorderGates(tensors.get(`${name}.${parameter}_l${k}`)!.data, from, to);

  const inputSize = k === 0 ? spec.inputSize : spec.hiddenSize;
  const list: OnnxTensor[] = [
    { name: `W_l${k}`, dims: [1, rows, inputSize], data: converted('weight_ih') },
    { name: `R_l${k}`, dims: [1, rows, spec.hiddenSize], data: converted('weight_hh') },
  ];
  if (spec.bias ?? true) {
    const both = Float32Array.from([...converted('bias_ih'), ...converted('bias_hh')]);
    list.push({ name: `B_l${k}`, dims: [1, 2 * rows], data: both });
  }
  const peephole = tensors.get(`${name}.weight_peephole_l${k}`);
  if (peephole) {
    const theirs = peepholeGatesOf(spec, 'onnx');
    list.push({
      name: `P_l${k}`,
      dims: [1, theirs.length * spec.hiddenSize],
      data: reorderGates(peephole.data, peepholeGatesOf(spec, 'gatefold'), theirs),
    });
  }
  return list;
}

/**
 * Inputs `x` [T, B, I], `h0_l0`, ... and for an LSTM `c0_l0`, ..., each [1, B, H]; outputs `y` [T,
 * 1, B, H] and `hn_l0`, ..., `cn_l0`, ... The parameters are constants of the graph.
 */
export function onnxModel(spec: RecurrentLayer, name: string, tensors: NamedTensors): Uint8Array {
  if (spec.type === 'lstm' && spec.peephole === 'cell') {
    throw new Error('ONNX has only diagonal peepholes');
  }
  const layers = Array.from({ length: spec.numLayers ?? 1 }, (_, k) => k);
  const states = spec.type === 'lstm' ? ['h', 'c'] : ['h'];
  const last = layers.length - 1;
  const axes: OnnxTensor = { name: 'direction_axis', dims: [1], data: BigInt64Array.of(1n) };
  const initializers = layers.map((k) => initializersOf(spec, name, k, tensors));

  const nodes = layers.flatMap((k): OnnxNode[] => {
    const given = new Set(initializers[k]!.map((tensor) => tensor.name));
    const orNone = (tensor: string): string => (given.has(tensor) ? tensor : '');
    const y = k === last ? 'y' : `y_l${k}`;
    const recurrent: OnnxNode = {
      opType: OP_TYPES[spec.type],
      // The empty name after B is sequence_lens: all rows have the full length.
      inputs: [
        k === 0 ? 'x' : `x_l${k}`,
        `W_l${k}`,
        `R_l${k}`,
        orNone(`B_l${k}`),
        '',
        ...states.map((s) => `${s}0_l${k}`),
        ...(spec.type === 'lstm' ? [orNone(`P_l${k}`)] : []),
      ],
      outputs: [y, ...states.map((s) => `${s}n_l${k}`)],
      attributes: attributesOf(spec),
    };
    if (k === last) return [recurrent];
    const squeeze = { opType: 'Squeeze', inputs: [y, axes.name], outputs: [`x_l${k + 1}`] };
    return [recurrent, squeeze];
  });

  return encodeOnnx({
    inputs: [
      { name: 'x', dims: ['T', 'B', spec.inputSize] },
      ...layers.flatMap((k) =>
        states.map((s) => ({ name: `${s}0_l${k}`, dims: [1, 'B', spec.hiddenSize] })),
      ),
    ],
    outputs: ['y', ...layers.flatMap((k) => states.map((s) => `${s}n_l${k}`))],
    initializers: [...(last > 0 ? [axes] : []), ...initializers.flat()],
    nodes,
  });
}
