/** Layers models of TensorFlow.js in the containers of Keras. */
import { strToU8, zipSync } from 'fflate';
import type { RandomModel } from './tfjs-models.ts';
import { writeHdf5, type Dataset, type Group } from './hdf5.mjs';

interface Entry {
  readonly class_name: string;
  readonly config: Record<string, unknown>;
}

interface LayerArrays {
  readonly name: string;
  readonly className: string;
  readonly config: Record<string, unknown>;
  readonly arrays: readonly { name: string; shape: number[]; data: Float32Array }[];
}

function layersOf({ model, modelTopology }: RandomModel): LayerArrays[] {
  const { layers } = modelTopology['config'] as { layers: (Entry & { name: string })[] };
  return layers.map(({ name, class_name: className, config }) => {
    const layer = model.getLayer(name);
    const values = layer.getWeights();
    const arrays = layer.weights.map((weight, k) => ({
      name: `${weight.originalName}:0`,
      shape: values[k]!.shape,
      data: values[k]!.dataSync() as Float32Array,
    }));
    return { name, className, config, arrays };
  });
}

const configOf = ({ modelTopology: { class_name, config } }: RandomModel): Entry =>
  ({ class_name, config }) as Entry;

/** Puts a member at a path of groups. */
function put(root: Group, path: string, member: Dataset): void {
  const names = path.split('/');
  let group = root;
  for (const name of names.slice(0, -1)) {
    group.members ??= {};
    group = (group.members[name] ??= {}) as Group;
  }
  group.members ??= {};
  group.members[names.at(-1)!] = member;
}

/** A `.h5` file as Keras 2 writes it; `fixed` as standalone Keras writes names. */
export function toH5(model: RandomModel, fixed: boolean): Uint8Array {
  const names = (list: string[]) => (fixed && list.length ? { fixed: list } : list);
  const all = layersOf(model);
  const weights: Group = {
    attributes: { layer_names: names(all.map(({ name }) => name)) },
    members: {},
  };
  for (const { name, arrays } of all) {
    const group: Group = {
      attributes: { weight_names: names(arrays.map((array) => array.name)) },
      members: {},
    };
    for (const array of arrays) put(group, array.name, array);
    weights.members![name] = group;
  }
  return writeHdf5({
    attributes: {
      backend: 'tensorflow',
      keras_version: '2.1.6',
      model_config: JSON.stringify(configOf(model)),
    },
    members: { model_weights: weights },
  });
}

/** Objects of a layer that have arrays, in the order of the arrays. */
function partsOf(className: string, config: Record<string, unknown>): readonly string[] {
  if (className === 'Bidirectional') return ['forward_layer/cell', 'backward_layer/cell'];
  if (className === 'TimeDistributed') return ['layer'];
  if (className === 'RNN') {
    const { class_name, config: inner } = config['cell'] as Entry;
    if (class_name !== 'StackedRNNCells') return ['cell'];
    const cells = inner['cells'] as Entry[];
    return cells.map((cell) => `cell/cells/${snake(cell.class_name)}`);
  }
  return ['LSTM', 'GRU', 'SimpleRNN'].includes(className) ? ['cell'] : [''];
}

const snake = (name: string): string =>
  ({ LSTMCell: 'lstm_cell', GRUCell: 'gru_cell', PReLU: 'p_re_lu', SimpleRNN: 'simple_rnn' })[
    name
  ] ??
  name
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_')
    .replaceAll(/D(?=[A-Z])/g, 'D_')
    .toLowerCase();

/** A `.keras` file of tf.keras 2.15; on Windows with paths as names. */
export function toKeras(model: RandomModel, isWindows: boolean): Uint8Array {
  const root: Group = { members: {} };
  const counts = new Map<string, number>();
  for (const { className, config, arrays } of layersOf(model)) {
    const name = snake(className);
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    const parts = partsOf(className, config);
    const each = arrays.length / parts.length;
    parts.forEach((part, p) => {
      const path = ['layers', name + (count ? `_${count}` : ''), ...(part ? [part] : [])].join('/');
      const group = isWindows ? path.replaceAll('/', '\\') : path;
      // Arrays of several cells are of as many each.
      arrays
        .slice(p * each, (p + 1) * each)
        .forEach((array, k) => put(root, `${group}/vars/${k}`, array));
    });
  }
  const files = {
    // Masked steps of a Bidirectional are zeros in later versions, but not in TensorFlow.js.
    'metadata.json': strToU8(JSON.stringify({ keras_version: '2.3.1' })),
    'config.json': strToU8(JSON.stringify(configOf(model))),
    'model.weights.h5': writeHdf5(root),
  };
  return zipSync(files, { level: 0 });
}
