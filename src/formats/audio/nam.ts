/**
 * Neural Amp Modeler's `.nam`: JSON of an `architecture`, its `config`, and all weights in one
 * list. Of each LSTM layer [W | R] by rows, the bias, h and c to begin with; then the head's weight
 * and bias.
 */
import { newFloats } from '../../base/arrays.ts';
import type { Tensor } from '../../base/tensor.ts';
import type { ImportedModel } from '../shared/imported.ts';
import { plainOf } from '../shared/json.ts';
import { nam } from '../shared/layouts.ts';
import { Chain, countOf, mapOf, refuse, sampleRateOf, tensorOf, unsupported } from './chain.ts';
import type { AudioFile } from './chain.ts';

/** Whether a file is of this kind. */
export const isNam = (file: AudioFile): boolean => file.has('architecture') && file.has('config');

/** Takes arrays from the front of a list of numbers. */
class Weights {
  readonly #data: Float32Array;
  #at = 0;

  constructor(data: Float32Array) {
    this.#data = data;
  }

  take(...shape: number[]): Tensor {
    const count = shape.reduce((product, size) => product * size, 1);
    const end = this.#at + count;
    // The count is checked before anything is taken.
    const data = newFloats(count, 'a parameter');
    data.set(this.#data.subarray(this.#at, end));
    this.#at = end;
    return { shape, data };
  }
}

export function readNam(file: AudioFile): ImportedModel {
  const architecture = file.get('architecture');
  if (architecture !== 'LSTM') {
    const name = JSON.stringify(plainOf(architecture));
    return unsupported(`it is a ${name} of NAM; gatefold reads its LSTM: export one, or train one`);
  }
  const config = mapOf(file.get('config'));
  const inputs = countOf('"config.input_size"', config.get('input_size'));
  const hidden = countOf('"config.hidden_size"', config.get('hidden_size'));
  const layers = countOf('"config.num_layers"', config.get('num_layers'));
  const outputs = countOf('"config.out_channels"', config.get('out_channels') ?? 1);
  const channels = countOf('"config.in_channels"', config.get('in_channels') ?? inputs);
  if (channels !== inputs) {
    return refuse(`it has ${channels} channels of inputs, and its LSTM ${inputs}`);
  }
  const { data, shape } = tensorOf('"weights"', file.get('weights'));
  const layer = (width: number): number => 4 * hidden * (width + hidden + 1) + 2 * hidden;
  const wanted = layer(inputs) + (layers - 1) * layer(hidden) + outputs * (hidden + 1);
  if (shape.length !== 1 || wanted !== data.length) {
    return refuse(`its config says ${wanted} weights, and it has ${data.length}`);
  }
  const weights = new Weights(data);
  const parameters: Record<string, Tensor> = {};
  for (let k = 0; k < layers; k++) {
    const wide = k === 0 ? inputs + hidden : 2 * hidden;
    const [weight, bias] = [weights.take(4 * hidden, wide), weights.take(4 * hidden)];
    const cell = nam.lstm(weight, bias, weights.take(hidden), weights.take(hidden));
    for (const [role, tensor] of Object.entries(cell)) parameters[`${role}_l${k}`] = tensor;
  }
  const chain = new Chain(inputs);
  const spec = { inputSize: inputs, hiddenSize: hidden, numLayers: layers };
  const rest = { bias: 'single', initialState: 'learned' } as const;
  chain.add({ type: 'lstm', ...spec, ...rest }, inputs, hidden, parameters);
  const head = { weight: weights.take(outputs, hidden), bias: weights.take(outputs) };
  chain.add({ type: 'linear', inFeatures: hidden, outFeatures: outputs }, hidden, outputs, head);
  const told = new Map([...file].filter(([key]) => key !== 'weights' && key !== 'config'));
  return chain.imported('NAM', sampleRateOf(file.get('sample_rate')), plainOf(told));
}
