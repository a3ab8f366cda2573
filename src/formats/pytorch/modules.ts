import type { LayerSpec } from '../../ops/index.ts';
import { isFloat } from './tensors.ts';
import type { FileTensor } from './tensors.ts';
import type { ModuleRecord } from './walk.ts';

/** A module of a file, as its tensors, or its record where it was pickled whole, tell it. */
export interface PytorchModule {
  /** Path in the file, such as `model_state_dict.lstm`. */
  readonly name: string;
  /** The layer of gatefold that it is; `undefined` where there is none. */
  readonly layer?: LayerSpec;
  /** What else it may be: a matrix without a bias may be a table of tokens. */
  readonly table?: LayerSpec;
  /** Whether it is an RNN, LSTM or GRU. */
  readonly isRecurrent: boolean;
  /** Its class, where the file says. */
  readonly type?: string;
  /** `batch_first` of the module, where the file says. */
  readonly batchFirst?: boolean;
  /** Names of its tensors of weights, each with its shape. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

/** What tells the kind of a module: shapes by name, and the record. */
interface Evidence {
  readonly name: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly record?: ModuleRecord | undefined;
  /** The name of its class alone. */
  readonly type: string;
}

/** Cells are stacks of one layer, but for the name. */
const CELL = /^(.*\.)?((?:weight|bias)_(?:ih|hh))$/;
const EMBEDDING = /emb|wte|lookup/i;
const BY_GATES = { 1: 'rnn', 3: 'gru', 4: 'lstm' } as const;
const BY_TYPE = { RNN: 'rnn', GRU: 'gru', LSTM: 'lstm' } as const;

/** The name of a tensor where cells are layers. */
export function tensorName(name: string): string {
  return CELL.test(name) ? `${name}_l0` : name;
}

/** Only what is given. */
function given(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function recurrent({ shapes, record, type }: Evidence): object | undefined {
  const [input, state] = ['weight_ih_l0', 'weight_hh_l0'].map((name) => shapes.get(name));
  const projection = shapes.get('weight_hr_l0');
  if (input?.length !== 2 || state?.length !== 2) return undefined;
  const hiddenSize = projection?.[1] ?? state[1]!;
  const gates = input[0]! / hiddenSize;
  const named = /^(RNN|GRU|LSTM)/.exec(type)?.[1] as keyof typeof BY_TYPE | undefined;
  const kind = named ? BY_TYPE[named] : BY_GATES[gates as keyof typeof BY_GATES];
  if (!kind) return undefined;
  const names = [...shapes.keys()];
  const numLayers = names.filter((name) => /^weight_ih_l\d+$/.test(name)).length;
  const isRelu = record?.text('mode') === 'RNN_RELU' || record?.text('nonlinearity') === 'relu';
  const dropout = numLayers > 1 && record?.number('dropout');
  return given({
    type: kind,
    inputSize: input[1],
    hiddenSize,
    numLayers: numLayers > 1 ? numLayers : undefined,
    bidirectional: names.some((name) => name.endsWith('_reverse')) || undefined,
    bias: shapes.has('bias_ih_l0') ? undefined : false,
    projSize: projection?.[0],
    nonlinearity: gates === 1 && isRelu ? 'relu' : undefined,
    dropout: dropout || undefined,
  });
}

function normalisation({ shapes, record, type }: Evidence): object | undefined {
  const size = (shapes.get('running_mean') ?? shapes.get('weight'))?.[0];
  const isBatch = shapes.has('running_mean');
  const isRank1 = [...shapes.values()].every((shape) => shape.length <= 1);
  if (size === undefined || !isRank1 || (!isBatch && !shapes.has('bias'))) return undefined;
  if (/InstanceNorm|GroupNorm/.test(type)) return undefined;
  const eps = record?.number('eps');
  const momentum = isBatch ? record?.number('momentum') : undefined;
  return given({
    type: isBatch ? 'batchNorm' : 'layerNorm',
    inputSize: size,
    eps: eps === 1e-5 ? undefined : eps,
    scale: shapes.has('weight') ? undefined : false,
    bias: shapes.has('bias') ? undefined : false,
    momentum: momentum === 0.1 ? undefined : momentum,
  });
}

function matrix({ shapes, type }: Evidence): object | undefined {
  const [outFeatures, inFeatures, more] = shapes.get('weight') ?? [];
  if (inFeatures === undefined || more !== undefined || type === 'Embedding') return undefined;
  const bias = shapes.has('bias') ? undefined : false;
  return given({ type: 'linear', inFeatures, outFeatures, bias });
}

function table({ shapes, type }: Evidence): object | undefined {
  const [numEmbeddings, embeddingDim, more] = shapes.get('weight') ?? [];
  if (embeddingDim === undefined || more !== undefined || shapes.size > 1) return undefined;
  if (type !== '' && type !== 'Embedding') return undefined;
  return { type: 'embedding', numEmbeddings, embeddingDim };
}

function convolution({ shapes, record, type }: Evidence): object | undefined {
  const [outChannels, inputs, kernelSize, more] = shapes.get('weight') ?? [];
  if (inputs === undefined || kernelSize === undefined || more !== undefined) return undefined;
  if (/Transpose/.test(type)) return undefined;
  const [stride, dilation, padding] = ['stride', 'dilation', 'padding'].map((name) => {
    return record?.first(name);
  });
  const groups = record?.number('groups') ?? 1;
  const above = (value: number | undefined): number | undefined =>
    value !== undefined && value > 1 ? value : undefined;
  return given({
    type: 'conv1d',
    inChannels: inputs * groups,
    outChannels,
    kernelSize,
    stride: above(stride),
    dilation: above(dilation),
    groups: above(groups),
    padding: padding ? [padding, padding] : undefined,
    bias: shapes.has('bias') ? undefined : false,
  });
}

/** Modules without tensors, as whole pickled models have them. */
const PLAIN: Readonly<Record<string, (record: ModuleRecord) => object | undefined>> = {
  ReLU: () => ({ type: 'activation', activation: 'relu' }),
  Tanh: () => ({ type: 'activation', activation: 'tanh' }),
  Sigmoid: () => ({ type: 'activation', activation: 'sigmoid' }),
  SiLU: () => ({ type: 'activation', activation: 'silu' }),
  SELU: () => ({ type: 'activation', activation: 'selu' }),
  Softsign: () => ({ type: 'activation', activation: 'softsign' }),
  Softplus: () => ({ type: 'activation', activation: 'softplus' }),
  Softmax: () => ({ type: 'activation', activation: 'softmax' }),
  LogSoftmax: () => ({ type: 'activation', activation: 'logSoftmax' }),
  GELU: (record) =>
    record.text('approximate') === 'tanh' ? undefined : { type: 'activation', activation: 'gelu' },
  ELU: (record) => ({
    type: 'activation',
    activation: { type: 'elu', alpha: record.number('alpha') ?? 1 },
  }),
  LeakyReLU: (record) => ({
    type: 'activation',
    activation: { type: 'leakyRelu', alpha: record.number('negative_slope') ?? 0.01 },
  }),
  Dropout: (record) => ({ type: 'dropout', rate: record.number('p') ?? 0.5 }),
};

/** Kinds of modules, by what only they have. */
const KINDS: readonly ((evidence: Evidence) => object | undefined)[] = [
  recurrent,
  normalisation,
  matrix,
  table,
  convolution,
];

function layersOf(evidence: Evidence): Pick<PytorchModule, 'layer' | 'table' | 'isRecurrent'> {
  const { name, shapes, record, type } = evidence;
  const own = (found: object): LayerSpec => ({ ...found, name }) as LayerSpec;
  if (shapes.size === 0) {
    const found = record && Object.hasOwn(PLAIN, type) ? PLAIN[type]!(record) : undefined;
    return { ...(found && { layer: own(found) }), isRecurrent: false };
  }
  const kind = KINDS.find((make) => make(evidence));
  const [found, other] = [kind?.(evidence), kind === matrix ? table(evidence) : undefined];
  const isTable = other !== undefined && EMBEDDING.test(name.slice(name.lastIndexOf('.') + 1));
  return {
    ...(found && { layer: own(isTable ? other : found) }),
    ...(other && !isTable && { table: own(other) }),
    isRecurrent: kind === recurrent,
  };
}

/** The modules of a file in its order: all with tensors, and those without that are layers. */
export function modulesOf(
  tensors: ReadonlyMap<string, FileTensor>,
  records: ReadonlyMap<string, ModuleRecord>,
): PytorchModule[] {
  const groups = new Map<string, Map<string, readonly number[]>>();
  for (const name of records.keys()) groups.set(name, new Map());
  for (const [name, { shape, dtype }] of tensors) {
    if (!isFloat({ dtype })) continue;
    const dot = name.lastIndexOf('.');
    const group = name.slice(0, Math.max(dot, 0));
    if (!groups.has(group)) groups.set(group, new Map());
    groups.get(group)!.set(name.slice(dot + 1), shape);
  }
  return [...groups].flatMap(([name, shapes]): PytorchModule[] => {
    const record = records.get(name);
    const type = record?.type.slice(record.type.lastIndexOf('.') + 1) ?? '';
    const layers = layersOf({ name, shapes, record, type });
    if (shapes.size === 0 && !layers.layer) return [];
    const batchFirst = layers.isRecurrent ? record?.flag('batch_first') : undefined;
    return [
      {
        name,
        shapes: Object.fromEntries(shapes),
        ...layers,
        ...(record && { type: record.type }),
        ...(batchFirst !== undefined && { batchFirst }),
      },
    ];
  });
}
