/**
 * Parameters of PyTorch modules as JSON: lists of numbers by the names of a state dict. GuitarML
 * adds `model_data`, which says the wiring; RTNeural's files of PyTorch models have the tensors
 * alone.
 */
import { shorten } from '../../base/errors.ts';
import type { StateDict, Tensor } from '../../base/tensor.ts';
import { complete } from '../../ops/description.ts';
import type { LayerSpec, ModelDescription } from '../../ops/index.ts';
import { checkImported } from '../shared/check-imported.ts';
import type { ImportedModel } from '../shared/imported.ts';
import { isMap, isNumbers, plainOf } from '../shared/json.ts';
import type { Json } from '../shared/json.ts';
import {
  Chain,
  countOf,
  mapOf,
  refuse,
  sampleRateOf,
  tensorOf,
  unsupported,
  within,
} from './chain.ts';
import type { AudioFile } from './chain.ts';

/** What PyTorch calls the cells, and ours by their gates. */
const CELLS = { LSTM: 'lstm', GRU: 'gru', RNN: 'rnn' } as const;
type Cell = (typeof CELLS)[keyof typeof CELLS];
const CELL_OF_GATES: ReadonlyMap<number, Cell> = new Map([
  [4, CELLS.LSTM],
  [3, CELLS.GRU],
  [1, CELLS.RNN],
]);

/** A module of a state dict: its tensors by their own names. */
type Module = ReadonlyMap<string, Tensor>;

/** The modules of a state dict in its order, by their prefixes. */
function modulesOf(state: StateDict): Map<string, Map<string, Tensor>> {
  const modules = new Map<string, Map<string, Tensor>>();
  for (const [name, tensor] of state) {
    const dot = name.lastIndexOf('.');
    const prefix = dot < 0 ? '' : name.slice(0, dot);
    const module = modules.get(prefix) ?? new Map<string, Tensor>();
    modules.set(prefix, module.set(name.slice(dot + 1), tensor));
  }
  return modules;
}

/** The recurrent layer of a module: `weight_ih_l0` and so on. */
function recurrent(prefix: string, module: Module): LayerSpec {
  const [input, hidden] = ['weight_ih_l0', 'weight_hh_l0'].map((name) => module.get(name)?.shape);
  const hiddenSize = hidden?.[1];
  const gates = hidden && hiddenSize ? hidden[0]! / hiddenSize : 0;
  const type = CELL_OF_GATES.get(gates);
  if (!type || input?.length !== 2 || hidden?.length !== 2) {
    return refuse(`"${shorten(prefix)}" is no LSTM, GRU or RNN of PyTorch`);
  }
  if ([...module.keys()].some((name) => name.endsWith('_reverse'))) {
    unsupported(`"${shorten(prefix)}" reads backwards, which no stream of audio can`);
  }
  let numLayers = 1;
  while (module.has(`weight_ih_l${numLayers}`)) numLayers++;
  const bias = module.has('bias_ih_l0');
  return { type, inputSize: input[1]!, hiddenSize: hiddenSize!, numLayers, bias };
}

function linear(module: Module): LayerSpec | undefined {
  const shape = module.get('weight')?.shape;
  if (shape?.length !== 2 || [...module.keys()].some((n) => n !== 'weight' && n !== 'bias')) {
    return undefined;
  }
  const [outFeatures, inFeatures] = shape as [number, number];
  return { type: 'linear', inFeatures, outFeatures, bias: module.has('bias') };
}

/** The tensors of a module as a layer of ours has them, which is as PyTorch has them. */
const parameters = (module: Module): object => Object.fromEntries(module);

function addRecurrent(chain: Chain, prefix: string, module: Module): void {
  const spec = recurrent(prefix, module) as LayerSpec & { inputSize: number; hiddenSize: number };
  const named = prefix === '' ? spec : { ...spec, name: prefix };
  within(`"${shorten(prefix)}"`, () =>
    chain.add(named as LayerSpec, spec.inputSize, spec.hiddenSize, parameters(module)),
  );
}

function addLinear(chain: Chain, prefix: string, module: Module): void {
  const spec = linear(module) as { inFeatures: number; outFeatures: number } | undefined;
  if (!spec) return refuse(`"${shorten(prefix)}" is no Linear of PyTorch`);
  const named = prefix === '' ? spec : { ...spec, name: prefix };
  return within(`"${shorten(prefix)}"`, () =>
    chain.add(named as LayerSpec, spec.inFeatures, spec.outFeatures, parameters(module)),
  );
}

function stateOf(entries: AudioFile): StateDict {
  const lists = [...entries].filter(([, value]) => isNumbers(value));
  return new Map(lists.map(([name, value]) => [name, tensorOf(`"${shorten(name)}"`, value)]));
}

/** Whether a file is GuitarML's. */
export const isGuitarml = (file: AudioFile): boolean =>
  isMap(file.get('model_data')) && isMap(file.get('state_dict'));

export function readGuitarml(file: AudioFile): ImportedModel {
  const data = mapOf(file.get('model_data'));
  const model = data.get('model') ?? 'SimpleRNN';
  if (model !== 'SimpleRNN') {
    unsupported(`it is a ${JSON.stringify(plainOf(model))} of GuitarML; gatefold reads SimpleRNN`);
  }
  const modules = modulesOf(stateOf(mapOf(file.get('state_dict'))));
  const [rec, lin] = [modules.get('rec'), modules.get('lin')];
  const other = [...modules.keys()].find((name) => name !== 'rec' && name !== 'lin');
  if (other !== undefined)
    unsupported(`its state_dict has "${shorten(other)}", which SimpleRNN has not`);
  if (!rec || !lin) return refuse('its state_dict has no "rec" or no "lin"');
  const inputs = rec.get('weight_ih_l0')?.shape[1] ?? 0;
  const chain = new Chain(inputs);
  const spec = recurrent('rec', rec) as LayerSpec & { hiddenSize: number; numLayers: number };
  const unit = data.get('unit_type');
  const type = typeof unit === 'string' ? CELLS[unit as keyof typeof CELLS] : undefined;
  if (unit !== undefined && !type) {
    unsupported(
      `its unit_type is ${JSON.stringify(plainOf(unit))}; gatefold reads LSTM, GRU and RNN`,
    );
  }
  addRecurrent(chain, 'rec', rec);
  addLinear(chain, 'lin', lin);
  const wanted = {
    unit_type: type && spec.type,
    input_size: inputs,
    hidden_size: spec.hiddenSize,
    num_layers: spec.numLayers,
    output_size: chain.width,
  };
  const says = (key: string): Json | undefined => (key === 'unit_type' ? type : data.get(key));
  for (const [key, value] of Object.entries(wanted)) {
    const said = says(key);
    if (said === undefined || said === value) continue;
    refuse(
      `its ${key} is ${JSON.stringify(plainOf(data.get(key)))}, and its weights have ${value}`,
    );
  }
  const skip = data.get('skip') ?? 0;
  const channels = typeof skip === 'boolean' ? Number(skip) : countOf('"skip"', skip, 0);
  if (channels > 0 && channels !== chain.width) {
    unsupported(`it skips ${channels} inputs over to ${chain.width} outputs`);
  }
  if (channels > 0) chain.skip('input', inputs);
  const rate = sampleRateOf(
    data.get('sample_rate'),
    data.get('samplerate'),
    file.get('samplerate'),
  );
  const rest = new Map([...file].filter(([key]) => key !== 'state_dict'));
  return chain.imported('GuitarML', rate, plainOf(rest));
}

/** Whether a file has the tensors of a state dict, and nothing that says the wiring. */
export const isStateDict = (file: AudioFile): boolean =>
  [...file].some(([name, value]) => /(^|\.)weight(_ih_l0)?$/.test(name) && isNumbers(value));

/** A convolution or a normalisation, whose options a state dict does not say. */
function other(module: Module): LayerSpec | undefined {
  const shape = module.get('weight')?.shape;
  if (module.has('running_mean')) return { type: 'batchNorm' };
  if (shape?.length !== 3) return undefined;
  const [outChannels, inChannels, kernelSize] = shape as [number, number, number];
  const bias = module.has('bias');
  return { type: 'conv1d', inChannels, outChannels, kernelSize, padding: 'causal', bias };
}

/** Wiring in the order of the file, where it has to be confirmed. */
function propose(modules: ReadonlyMap<string, Module>): ModelDescription {
  const layers = [...modules].flatMap(([name, module]): LayerSpec[] => {
    const isCell = module.has('weight_ih_l0');
    const found = isCell ? recurrent(name, module) : (linear(module) ?? other(module));
    return found ? [{ ...found, ...(name && { name }) } as LayerSpec] : [];
  });
  return { layers };
}

/** One recurrent module after the other, then one linear at most: nothing is left open. */
function isPlain(modules: ReadonlyMap<string, Module>): boolean {
  const list = [...modules.values()];
  const heads = list.filter((module) => !module.has('weight_ih_l0'));
  const isLast = heads.length === 0 || heads[0] === list.at(-1);
  return heads.length < 2 && heads.length < list.length && isLast && heads.every(linear);
}

/**
 * A file of tensors alone. Recurrent modules in a row, and one linear, run in the order of the
 * file; others need a description.
 */
export function readStateDict(file: AudioFile, description?: ModelDescription): ImportedModel {
  const state = stateOf(file);
  const modules = modulesOf(state);
  if (description) {
    const { layers } = complete(description);
    // A file of one module has no names of layers.
    const own = layers.length === 1 ? `${layers[0]!.name}.` : '';
    const tensors = new Map(
      [...state].map(([name, tensor]) => [name.includes('.') ? name : own + name, tensor]),
    );
    const imported = { description, tensors, metadata: { format: 'PyTorch JSON', latency: 0 } };
    within('its tensors', () => checkImported(imported));
    return imported;
  }
  if (!isPlain(modules)) {
    const text = JSON.stringify(propose(modules));
    const own =
      text.length > 4000
        ? ''
        : `, such as (activations, strides and order are yours to say) ${text}`;
    return unsupported(`the file names tensors, not their wiring: pass { description }${own}`);
  }
  const [first] = modules.values();
  const chain = new Chain(first!.get('weight_ih_l0')!.shape[1]!);
  for (const [prefix, module] of modules) {
    if (module.has('weight_ih_l0')) addRecurrent(chain, prefix, module);
    else addLinear(chain, prefix, module);
  }
  return chain.imported('PyTorch JSON', undefined, undefined);
}
