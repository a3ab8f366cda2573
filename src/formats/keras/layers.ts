/** The layers of Keras, each as layers of gatefold. */
import type { Tensor } from '../../base/tensor.ts';
import type { RowActivation } from '../../ops/activations.ts';
import * as layouts from '../shared/layouts.ts';
import { activationOf, cellActivation, reluOf, slopeOf } from './activations.ts';
import type { Version } from './activations.ts';
import { unsupported, widthOf } from './builder.ts';
import type { Builder, Dims, Flow, NewLayer } from './builder.ts';
import { flagOf, listOf, numberOf, own, quoted, recordOf, textOf } from './config.ts';
import type { Json } from './config.ts';
import { modern } from './older.ts';
import type { Modern } from './older.ts';
import type { Parameter } from './parameters.ts';
import type { Taker } from './weights.ts';

/** One use of a layer. */
export interface Call {
  readonly className: string;
  /** As messages show it, and as the description names it. */
  readonly name: string;
  readonly config: Json;
  readonly inputs: readonly Flow[];
  /** What it is called with by name: tensors, and all else. */
  readonly named: ReadonlyMap<string, readonly Flow[]>;
  readonly options: Json;
  /** Numbers among what it is called with. */
  readonly constants: readonly number[];
  /** First dimensions that are no concern of the layer: 1 within TimeDistributed. */
  readonly lead: number;
  readonly taker: Taker;
  readonly build: Builder;
  readonly version: Version;
  /** An activation that the caller has given for a name. */
  readonly activation: (name: string) => RowActivation | undefined;
}

/** What a use of a layer gives: tensors, each made when it is asked for. */
export type Outputs = readonly (() => Flow)[];
type Handler = (call: Call) => Flow | Outputs;

/** The only tensor that a layer reads. */
function only({ inputs, name }: Call): Flow {
  if (inputs.length === 1) return inputs[0]!;
  return unsupported(name, `reads ${inputs.length} tensors, and one is expected`);
}

/** A size that a configuration has to say. */
function sizeOf(call: Call, key: string, otherwise?: number): number {
  const size = numberOf(call.config, key) ?? otherwise;
  if (size !== undefined && Number.isSafeInteger(size) && size > 0) return size;
  return unsupported(call.name, `its ${key} is not a size`);
}

function refuseWhen(call: Call, isIt: boolean, what: string): void {
  if (isIt) unsupported(call.name, `${what} is not supported`);
}

const activation = (call: Call, key = 'activation', otherwise = 'linear') =>
  activationOf(call.config, key, otherwise, call.version, call.name, call.activation);

/** Adds the same for every number, or for every row, of what flows. */
function each(call: Call, options: NewLayer, given: Flow = only(call)): Flow {
  const { build, name } = call;
  const flow = build.read(given, name);
  const { dims, held } = flow;
  return build.add(name, options, [flow], { dims, held });
}

/** A layer of the last dimension alone. */
function rowwise(
  call: Call,
  options: (width: number, flow: Flow) => NewLayer,
  outputs?: number,
  parameters?: readonly Taker[] | readonly Parameter[],
): Flow {
  const { build, name, taker } = call;
  const flow = build.rows(only(call), name);
  const width = widthOf(flow, name);
  const dims = [...flow.dims.slice(0, -1), outputs ?? width];
  const own = parameters ?? [taker];
  return build.add(name, options(width, flow), [flow], { dims, held: flow.held }, own);
}

function dense(call: Call): Flow {
  const units = sizeOf(call, 'units');
  const bias = flagOf(call.config, 'use_bias', true);
  const given = activation(call);
  const options = (inFeatures: number): NewLayer => ({
    type: 'linear',
    inFeatures,
    outFeatures: units,
    ...(!bias && { bias }),
    ...(given !== undefined && { activation: given }),
  });
  return rowwise(call, options, units);
}

/** The tensor of a layer over time, with steps held, and its features. */
function overTime(call: Call): { flow: Flow; width: number } {
  const { build, name, lead } = call;
  const given = only(call);
  refuseWhen(call, textOf(call.config, 'data_format') === 'channels_first', 'channels_first');
  if (given.dims.length !== lead + 2) {
    unsupported(name, `${call.className} of ${given.dims.length + 1} dimensions is not supported`);
  }
  const flow = build.hold(given, lead + 1, name);
  return { flow, width: widthOf(flow, name) };
}

/** One row a sequence, or as Keras may keep it a sequence of one step. */
function pooled(call: Call, name: string, read: Flow, mode: string, isKept = false): Flow {
  const { lead, build } = call;
  const flow = build.layered(read);
  const features = flow.dims.slice(lead + 1);
  const dims = [...flow.dims.slice(0, lead), ...(isKept ? [1] : []), ...features];
  const sequence = lead ? flow.sequence : undefined;
  return build.add(name, { type: 'pool', mode }, [flow], {
    dims,
    held: lead,
    masked: false,
    sequence,
  });
}

/** Cells by the classes of their layers. */
const CELLS: ReadonlyMap<string, 'lstm' | 'gru' | 'rnn'> = new Map([
  ['LSTM', 'lstm'],
  ['GRU', 'gru'],
  ['SimpleRNN', 'rnn'],
  ['LSTMCell', 'lstm'],
  ['GRUCell', 'gru'],
  ['SimpleRNNCell', 'rnn'],
]);
/** What activations are unless given. */
const USUAL = { lstm: ['sigmoid', 'tanh', 'tanh'], gru: ['sigmoid', 'tanh'], rnn: ['tanh'] };

/** The cell of a recurrent layer: options of gatefold. */
function cellOf(call: Call, type: 'lstm' | 'gru' | 'rnn'): NewLayer {
  const { config, version, name } = call;
  const read = (key: string, otherwise: string) =>
    cellActivation(config, key, otherwise, version, name, call.activation);
  const gate = () => read('recurrent_activation', version.isOld ? 'hard_sigmoid' : 'sigmoid');
  const state = read('activation', 'tanh');
  const activations = {
    lstm: () => [gate(), state, state],
    gru: () => [gate(), state],
    rnn: () => [state],
  }[type]();
  const isUsual = activations.every((given, k) => given === USUAL[type][k]);
  const resetAfter = flagOf(config, 'reset_after', version.major > 2);
  const isTwo = type === 'gru' && resetAfter;
  const bias = flagOf(config, 'use_bias', true) && (isTwo ? true : 'single');
  const dropout = numberOf(config, 'dropout') ?? 0;
  const recurrentDropout = numberOf(config, 'recurrent_dropout') ?? 0;
  return {
    type,
    hiddenSize: sizeOf(call, 'units'),
    ...(bias !== true && { bias }),
    ...(type === 'gru' && !resetAfter && { resetAfter }),
    ...(!isUsual && { activations }),
    ...(dropout > 0 && { inputDropout: dropout }),
    ...(recurrentDropout > 0 && { recurrentDropout }),
  };
}

/** The options of a layer of cells, whatever wraps the cell. */
function cellsOf(call: Call): { call: Call; type: 'lstm' | 'gru' | 'rnn' }[] {
  const { className, config } = call;
  const type = CELLS.get(className);
  if (type) return [{ call, type }];
  const cells = (cell: unknown): { call: Call; type: 'lstm' | 'gru' | 'rnn' }[] => {
    const name = textOf(cell, 'class_name') ?? 'no class';
    const inner = recordOf(cell, 'config');
    const known = CELLS.get(name);
    if (known) return [{ call: { ...call, config: { ...inner } }, type: known }];
    const stacked = listOf(inner, 'cells');
    if (name !== 'StackedRNNCells' || !stacked.length) {
      unsupported(call.name, `a cell of the class ${quoted(name)} is not supported`);
    }
    return stacked.flatMap(cells);
  };
  return cells(own(config, 'cell'));
}

/** Layers that a Bidirectional may hold, and RNN with its cells. */
const isRecurrent = (className: string): boolean => CELLS.has(className) || className === 'RNN';

interface Ways {
  readonly type: 'lstm' | 'gru' | 'rnn';
  readonly options: NewLayer;
  readonly takers: readonly Taker[];
}

/** What a recurrent layer gives, whole or its last row, and its states. */
function recurrentOutputs(call: Call, { type, options, takers }: Ways, isLast = true): Outputs {
  const { config, build, name, lead, named, inputs } = call;
  refuseWhen(call, flagOf(config, 'time_major', false), 'time_major');
  const [first, ...states] = [...inputs, ...(named.get('initial_state') ?? [])];
  const { flow, width } = overTime({ ...call, inputs: first ? [first] : [] });
  for (const mask of named.get('mask') ?? []) {
    if (!flow.masked) unsupported(name, `a mask of its own (${mask.source}) is not supported`);
  }
  const ways = options['bidirectional'] === true ? 2 : 1;
  const hidden = options['hiddenSize'] as number;
  const wide = ways === 2 && options['merge'] === undefined ? 2 * hidden : hidden;
  const letters = type === 'lstm' ? ['h', 'c'] : ['h'];
  let initialState: Record<string, string> | undefined;
  if (states.length) {
    if (states.length !== letters.length || ways > 1 || lead) {
      unsupported(name, `${states.length} initial states are not supported here`);
    }
    const rows = states.map((state) => build.hold(state, 0, name).source);
    initialState = Object.fromEntries(letters.map((letter, k) => [letter, rows[k]!]));
  }
  const dims = [...flow.dims.slice(0, -1), wide];
  const layer = { ...options, inputSize: width, ...(initialState && { initialState }) };
  const made = build.add(name, layer, [flow], { dims, held: flow.held }, takers);
  const isSequence = flagOf(config, 'return_sequences', false) || !isLast;
  const isTurned = options['direction'] === 'backward';
  // Masked steps repeat the last output here; newer Bidirectional layers have zeros there.
  const isZeroed = made.masked && isLast && flagOf(config, 'zero_output_for_mask', false);
  const output = (): Flow => {
    if (!isSequence) return pooled(call, `${name}/last`, made, 'last');
    // Keras gives the steps in the order in which they were read, but not what masks them.
    if (isTurned && isLast && flow.masked) {
      unsupported(name, 'go_backwards with return_sequences of masked steps is not supported');
    }
    if (isZeroed) {
      const present = flow.present?.() ?? unsupported(name, 'zero_output_for_mask of such a mask');
      const read = [made, present];
      return build.add(`${name}/zeroed`, { type: 'multiply' }, read, { dims, held: made.held });
    }
    return isTurned && isLast
      ? build.add(`${name}/reverse`, { type: 'reverse' }, [made], { dims, held: made.held })
      : made;
  };
  if (!flagOf(config, 'return_state', false)) return [once(output)];
  refuseWhen(call, lead > 0, 'return_state within TimeDistributed');
  const part = (letter: string, k: number): Flow => ({
    source: `${made.source}.${letter}${ways === 2 ? `.${k}` : ''}`,
    dims: [hidden],
    held: 0,
    masked: false,
  });
  const parts = Array.from({ length: ways }, (_, k) =>
    letters.map((letter) => () => part(letter, k)),
  ).flat();
  return [once(output), ...parts];
}

/** What is made once, when it is first asked for. */
export function once(make: () => Flow): () => Flow {
  let made: Flow | undefined;
  return () => (made ??= make());
}

function recurrentLayer(call: Call): Outputs {
  const cells = cellsOf(call);
  const isBackward = flagOf(call.config, 'go_backwards', false);
  let inputs = call.inputs;
  let outputs: Outputs = [];
  refuseWhen(call, cells.length > 1 && inputs.length > 1, 'an initial state of several cells');
  refuseWhen(
    call,
    cells.length > 1 && flagOf(call.config, 'return_state', false),
    'the state of several cells',
  );
  cells.forEach(({ call: inner, type }, k) => {
    const isLast = k === cells.length - 1;
    const direction = isBackward ? { direction: 'backward' } : {};
    const options = { ...cellOf(inner, type), ...direction };
    const name = cells.length > 1 ? `${call.name}/${k}` : call.name;
    const earlier = cells.slice(0, k).filter((cell) => cell.type === type).length;
    const written = `${type === 'rnn' ? 'simple_rnn' : type}_cell${earlier ? `_${earlier}` : ''}`;
    const taker = cells.length > 1 ? call.taker.at(`cell/cells/${written}`) : call.taker;
    const one = { ...call, name, inputs };
    outputs = recurrentOutputs(one, { type, options, takers: [taker] }, isLast);
    if (!isLast) inputs = [outputs[0]!()];
  });
  return outputs;
}

const MERGES: ReadonlyMap<string, string> = new Map([
  ['concat', 'concat'],
  ['sum', 'sum'],
  ['mul', 'mul'],
  ['ave', 'mean'],
]);

function bidirectional(call: Call): Outputs {
  const { config, name } = call;
  const inner = (key: string): Modern => modern(own(config, key), call.version);
  const forward = inner('layer');
  if (!isRecurrent(forward.className)) {
    unsupported(name, `Bidirectional of ${quoted(forward.className)} is not supported`);
  }
  const mode = own(config, 'merge_mode') === undefined ? 'concat' : own(config, 'merge_mode');
  const merge = typeof mode === 'string' ? MERGES.get(mode) : undefined;
  if (merge === undefined) {
    unsupported(name, `merge_mode ${String(mode)} is not supported: concat, sum, mul and ave are`);
  }
  refuseWhen(call, flagOf(forward.config, 'go_backwards', false), 'go_backwards in Bidirectional');
  const of = (layer: typeof forward): { type: Ways['type']; options: NewLayer }[] =>
    cellsOf({ ...call, ...layer }).map(({ call: cell, type }) => ({
      type,
      options: cellOf(cell, type),
    }));
  const [one, ...more] = of(forward);
  refuseWhen(call, more.length > 0, 'Bidirectional of several cells');
  let options: NewLayer = {
    ...one!.options,
    bidirectional: true,
    ...(merge !== 'concat' && { merge }),
  };
  const second = inner('backward_layer');
  if (own(config, 'backward_layer')) {
    const [other] = of(second);
    const activations = [one!, other!].flatMap(
      ({ options: { activations: given }, type }) =>
        (given as unknown[] | undefined) ?? USUAL[type],
    );
    const plain = [one!, other!].map(({ options: all }) => ({ ...all, activations: undefined }));
    refuseWhen(
      call,
      other!.type !== one!.type || JSON.stringify(plain[0]) !== JSON.stringify(plain[1]),
      'a backward_layer that differs from the forward one',
    );
    const half = activations.length / 2;
    const isSame = activations.every((given, k) => same(given, activations[k % half]));
    if (!isSame) options = { ...options, activations };
  }
  const named = textOf(forward.config, 'name') ?? '';
  const plainName = named.replace(/^forward_/, '');
  const backward = textOf(second.config, 'name') ?? `backward_${plainName}`;
  const takers = [
    call.taker.within('forward_layer', [named, `forward_${plainName}`]),
    call.taker.within('backward_layer', [backward]),
  ];
  const sequences = flagOf(
    config,
    'return_sequences',
    flagOf(forward.config, 'return_sequences', false),
  );
  // TensorFlow's Keras, and Keras 3, force zeros where both ways have masked steps.
  const zeroed = sequences && !call.version.isOld;
  const own_ = {
    ...call,
    config: {
      ...forward.config,
      return_sequences: sequences,
      ...(zeroed && { zero_output_for_mask: true }),
    },
  };
  return recurrentOutputs(own_, { type: one!.type, options, takers });
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Steps and taps of a convolution or of a pool. */
function padding(call: Call, ...names: string[]): string {
  const given = textOf(call.config, 'padding') ?? 'valid';
  if (['valid', 'same', ...names].includes(given)) return given;
  return unsupported(call.name, `the padding ${quoted(given)} is not supported`);
}

function convolution(call: Call): Flow {
  const { build, name, config, taker } = call;
  const given = only(call);
  const { pad } = given;
  const { pad: _, ...bare } = given;
  const { flow, width } = overTime({ ...call, inputs: [bare] });
  const [filters, kernelSize] = [sizeOf(call, 'filters'), sizeOf(call, 'kernel_size')];
  const stride = sizeOf(call, 'strides', 1);
  const dilation = sizeOf(call, 'dilation_rate', 1);
  const groups = sizeOf(call, 'groups', 1);
  const named = padding(call, 'causal');
  refuseWhen(call, pad !== undefined && named !== 'valid', 'ZeroPadding1D before such a padding');
  if (width % groups) unsupported(name, `${groups} groups of ${width} channels are not supported`);
  const options = withActivation(call, {
    type: 'conv1d',
    inChannels: width,
    outChannels: filters,
    kernelSize,
    ...(stride > 1 && { stride }),
    ...(dilation > 1 && { dilation }),
    ...(groups > 1 && { groups }),
    ...(pad ? { padding: pad } : named !== 'valid' && { padding: named }),
    ...(!flagOf(config, 'use_bias', true) && { bias: false }),
  });
  const padded = flow.dims.at(-2);
  const before = padded === undefined ? undefined : padded + (pad ? pad[0] + pad[1] : 0);
  const steps = stepsAfter(before, (kernelSize - 1) * dilation + 1, stride, named);
  const dims = [...flow.dims.slice(0, -2), steps, filters];
  return build.add(name, options, [flow], { dims, held: flow.held, masked: false }, [taker]);
}

function withActivation(call: Call, options: NewLayer): NewLayer {
  const given = activation(call);
  return given === undefined ? options : { ...options, activation: given };
}

/** Steps of windows of so many steps. */
function stepsAfter(
  steps: number | undefined,
  window: number,
  stride: number,
  named: string,
): number | undefined {
  if (steps === undefined) return undefined;
  return Math.ceil((named === 'valid' ? steps - window + 1 : steps) / stride);
}

function transposed(call: Call): Flow {
  const { build, name, config, taker } = call;
  const { flow, width } = overTime(call);
  const [filters, kernelSize] = [sizeOf(call, 'filters'), sizeOf(call, 'kernel_size')];
  const stride = sizeOf(call, 'strides', 1);
  const dilation = sizeOf(call, 'dilation_rate', 1);
  const named = padding(call);
  refuseWhen(call, numberOf(config, 'output_padding') !== undefined, 'output_padding');
  const reach = (kernelSize - 1) * dilation + 1;
  const isSame = named === 'same';
  const outputPadding = isSame ? 0 : Math.max(stride - reach, 0);
  const options = withActivation(call, {
    type: 'convTranspose1d',
    inChannels: width,
    outChannels: filters,
    kernelSize,
    ...(stride > 1 && { stride }),
    ...(dilation > 1 && { dilation }),
    ...(isSame && { padding: 'same' }),
    ...(outputPadding > 0 && { outputPadding }),
    ...(!flagOf(config, 'use_bias', true) && { bias: false }),
  });
  const steps = flow.dims.at(-2);
  const more = isSame ? 0 : Math.max(reach - stride, 0);
  const dims = [...flow.dims.slice(0, -2), steps && steps * stride + more, filters];
  return build.add(name, options, [flow], { dims, held: flow.held, masked: false }, [taker]);
}

/** A convolution of every channel by itself, and of all channels at a step after it. */
function separable(call: Call): Flow {
  const { build, name, config, taker, className } = call;
  const { flow, width } = overTime(call);
  const kernelSize = sizeOf(call, 'kernel_size');
  const stride = sizeOf(call, 'strides', 1);
  const dilation = sizeOf(call, 'dilation_rate', 1);
  const multiplier = sizeOf(call, 'depth_multiplier', 1);
  const isLone = className === 'DepthwiseConv1D';
  const named = padding(call, 'causal');
  const bias = flagOf(config, 'use_bias', true);
  const role = isLone ? 'kernel' : 'depthwise_kernel';
  const { data } = taker.take('', role, [kernelSize, width, multiplier]);
  const wide = width * multiplier;
  // [K, I, M] is [K, I M] of one channel each.
  const weight = layouts.keras.conv1d({ shape: [kernelSize, 1, wide], data });
  const depthwise = {
    type: 'conv1d',
    inChannels: width,
    outChannels: wide,
    kernelSize,
    groups: width,
    ...(stride > 1 && { stride }),
    ...(dilation > 1 && { dilation }),
    ...(named !== 'valid' && { padding: named }),
    ...(!(isLone && bias) && { bias: false }),
  };
  const steps = stepsAfter(flow.dims.at(-2), (kernelSize - 1) * dilation + 1, stride, named);
  const sized = (channels: number) => ({
    dims: [...flow.dims.slice(0, -2), steps, channels],
    held: flow.held,
    masked: false,
  });
  const own: Parameter[] = [['weight', weight]];
  if (isLone) {
    if (bias) own.push(['bias', taker.take('', 'bias', [wide])]);
    return build.add(name, withActivation(call, depthwise), [flow], sized(wide), own);
  }
  const channels = build.add(`${name}/depthwise`, depthwise, [flow], sized(wide), own);
  const filters = sizeOf(call, 'filters');
  const pointwise = taker.take('', 'pointwise_kernel', [1, wide, filters]);
  const last: Parameter[] = [['weight', layouts.keras.conv1d(pointwise)]];
  if (bias) last.push(['bias', taker.take('', 'bias', [filters])]);
  const options = withActivation(call, {
    type: 'conv1d',
    inChannels: wide,
    outChannels: filters,
    kernelSize: 1,
    ...(!bias && { bias }),
  });
  return build.add(name, options, [channels], sized(filters), last);
}

function windowPool(type: 'maxPool1d' | 'averagePool1d'): Handler {
  return (call) => {
    const { build, name } = call;
    const { flow } = overTime(call);
    const poolSize = sizeOf(call, 'pool_size', 2);
    const stride = sizeOf(call, 'strides', poolSize);
    const named = padding(call);
    const options = {
      type,
      poolSize,
      ...(stride !== poolSize && { stride }),
      ...(named !== 'valid' && { padding: named }),
      ...(type === 'averagePool1d' && { countPadding: false }),
    };
    const steps = stepsAfter(flow.dims.at(-2), poolSize, stride, named);
    const dims = [...flow.dims.slice(0, -2), steps, flow.dims.at(-1)];
    return build.add(name, options, [flow], { dims, held: flow.held, masked: false });
  };
}

function globalPool(mode: 'mean' | 'max'): Handler {
  return (call) => {
    const { flow } = overTime(call);
    return pooled(call, call.name, flow, mode, flagOf(call.config, 'keepdims', false));
  };
}

/** The last of so many dimensions, as Keras counts them with the batch. */
function isLastAxis(axis: unknown, { dims }: Flow): boolean {
  const only = Array.isArray(axis) && axis.length === 1 ? (axis[0] as unknown) : axis;
  return only === undefined || only === -1 || only === dims.length;
}

function checkAxis(call: Call): void {
  const axis = own(call.config, 'axis');
  if (isLastAxis(axis, only(call))) return;
  unsupported(call.name, `axis ${JSON.stringify(axis)} is not supported: the last one is`);
}

function batchNorm(call: Call): Flow {
  const { config } = call;
  checkAxis(call);
  const momentum = numberOf(config, 'momentum') ?? 0.99;
  return rowwise(call, (inputSize) => ({
    type: 'batchNorm',
    inputSize,
    eps: numberOf(config, 'epsilon') ?? 1e-3,
    momentum: 1 - momentum,
    unbiased: false,
    ...(!flagOf(config, 'scale', true) && { scale: false }),
    ...(!flagOf(config, 'center', true) && { bias: false }),
    ...(!flagOf(config, 'trainable', true) && { frozen: true }),
  }));
}

function layerNorm(call: Call): Flow {
  const { config } = call;
  checkAxis(call);
  refuseWhen(call, flagOf(config, 'rms_scaling', false), 'rms_scaling');
  return rowwise(call, (inputSize) => ({
    type: 'layerNorm',
    inputSize,
    eps: numberOf(config, 'epsilon') ?? 1e-3,
    ...(!flagOf(config, 'scale', true) && { scale: false }),
    ...(!flagOf(config, 'center', true) && { bias: false }),
  }));
}

function rmsNorm(call: Call): Flow {
  checkAxis(call);
  const eps = numberOf(call.config, 'epsilon') ?? 1e-6;
  return rowwise(call, (inputSize) => ({ type: 'rmsNorm', inputSize, eps }));
}

function embedding(call: Call): Flow {
  const { build, name, taker, lead } = call;
  const flow = build.read(only(call), name, true);
  refuseWhen(call, lead > 0, 'Embedding within TimeDistributed');
  if (flow.dims.length !== 1 || flow.held !== 1) {
    unsupported(name, 'an Embedding of other than the inputs of the model is not supported');
  }
  const [numEmbeddings, embeddingDim] = [sizeOf(call, 'input_dim'), sizeOf(call, 'output_dim')];
  const masked = flagOf(call.config, 'mask_zero', false);
  const options = {
    type: 'embedding',
    numEmbeddings,
    embeddingDim,
    ...(masked && { maskZero: true }),
  };
  const dims = [...flow.dims, embeddingDim];
  if (!masked) return build.add(name, options, [flow], { dims, held: 1 }, [taker]);
  // A table of what `clip` makes 0 or 1, without a gradient.
  const present = once(() => {
    const data = new Float32Array(numEmbeddings).fill(2);
    data[0] = -1;
    const weight: Parameter = ['weight', { shape: [numEmbeddings, 1], data }];
    const table = { type: 'embedding', numEmbeddings, embeddingDim: 1 };
    const sized = { dims: [...flow.dims, 1], held: 1, masked: false };
    return clipped(call, build.add(`${name}/mask`, table, [flow], sized, [weight]));
  });
  return build.add(name, options, [flow], { dims, held: 1, masked, present }, [taker]);
}

/** What is 0 or below as 0, what is 1 or more as 1. */
function clipped({ build, name }: Call, flow: Flow): Flow {
  const activation = { type: 'clip', alpha: 0, beta: 1 };
  return build.add(`${name}/present`, { type: 'activation', activation }, [flow], flow);
}

function prelu(call: Call): Flow {
  const { build, name, taker } = call;
  const given = only(call);
  const axes = listOf(call.config, 'shared_axes').map((axis) => Number(axis) - 1);
  const shape = given.dims.map((size, k) => (axes.includes(k) ? 1 : (size ?? 0)));
  if (shape.slice(0, -1).some((size) => size !== 1)) {
    unsupported(name, 'a PReLU with slopes for each step is not supported: share axis 1');
  }
  const { data } = taker.take('', 'alpha', shape);
  const shared = shape.at(-1) === 1 && given.dims.at(-1) !== 1;
  const flow = build.rows(given, name);
  const { dims, held } = flow;
  const options = { type: 'prelu', inputSize: widthOf(flow, name), ...(shared && { shared }) };
  const weight: Tensor = { shape: [data.length], data };
  return build.add(name, options, [flow], { dims, held }, [['weight', weight]]);
}

function activationLayer(call: Call, given: RowActivation | undefined): Flow {
  if (given === undefined) return call.build.read(only(call), call.name);
  const type = typeof given === 'string' ? given : given.type;
  const options = { type: 'activation', activation: given };
  if (type !== 'softmax' && type !== 'logSoftmax') return each(call, options);
  checkAxis(call);
  return rowwise(call, () => options, undefined, []);
}

/** The same shape in other dimensions. */
function reshaped(call: Call, target: Dims): Flow {
  const { build, name, lead } = call;
  let flow = build.read(only(call), name);
  const dims = [...flow.dims.slice(0, lead), ...target];
  // Steps that stay as they are stay steps.
  let kept = 0;
  while (kept < flow.held && kept < dims.length - 1 && dims[kept] === flow.dims[kept]) kept++;
  // All of several steps are one dimension more, or the last one is features.
  flow = build.hold(flow, Math.max(kept, Math.min(lead, flow.held)), name);
  return { ...flow, dims };
}

const product = (dims: Dims, call: Call): number =>
  dims.reduce<number>((all, size) => {
    if (size === undefined) {
      unsupported(call.name, 'needs sequences of a number of steps that the input shape says');
    }
    return all * size;
  }, 1);

function reshape(call: Call): Flow {
  const { dims } = only(call);
  const target = listOf(call.config, 'target_shape').map((size) => Number(size));
  if (!target.length || target.some((size) => !Number.isSafeInteger(size) || size < -1)) {
    unsupported(call.name, 'its target_shape is not known');
  }
  const before = dims.slice(call.lead);
  const open = target.indexOf(-1);
  // Without a number of steps only the features can be what is left to find.
  const isOpen = before.some((size) => size === undefined);
  if (isOpen && open === 0 && target.length === before.length) {
    const rest = product(before.slice(1), call);
    if (product(target.slice(1), call) === rest)
      return reshaped(call, [before[0], ...target.slice(1)]);
  }
  const all = product(before, call);
  const known = target.reduce((total, size) => (size < 0 ? total : total * size), 1);
  if (open < 0 ? known !== all : known === 0 || all % known) {
    unsupported(call.name, `${all} numbers cannot be reshaped to [${target.join(', ')}]`);
  }
  return reshaped(
    call,
    target.map((size) => (size < 0 ? all / known : size)),
  );
}

function flatten(call: Call): Flow {
  const { build, name, lead } = call;
  const flow = build.read(only(call), name);
  const dims = flow.dims.slice(lead);
  if (dims.length === 1) return flow;
  return {
    ...build.hold(flow, Math.min(lead, flow.held), name),
    dims: [...flow.dims.slice(0, lead), product(dims, call)],
  };
}

function repeat(call: Call): Flow {
  const { build, name, lead } = call;
  const steps = sizeOf(call, 'n');
  const flow = build.hold(only(call), 0, name);
  if (lead || flow.dims.length !== 1) unsupported(name, 'RepeatVector of steps is not supported');
  return build.add(name, { type: 'repeat', steps }, [flow], {
    dims: [steps, ...flow.dims],
    held: 1,
    sequence: undefined,
  });
}

function permute(call: Call): Flow {
  const flow = call.build.read(only(call), call.name);
  const dims = listOf(call.config, 'dims');
  if (dims.every((axis, k) => axis === k + 1)) return flow;
  return unsupported(call.name, 'Permute of steps and features is not supported');
}

/** Several tensors in the same steps, with as many features side by side. */
function joined(call: Call): readonly Flow[] {
  const { build, name, inputs } = call;
  const [first, ...others] = inputs.map((input) => build.read(input, name));
  if (!first || !others.length) unsupported(name, 'reads one tensor, and several are expected');
  const isAlike = others.every(
    ({ held, dims }) => held === first.held && same(dims, first.dims) && !dims.includes(undefined),
  );
  const flows = isAlike
    ? [first, ...others]
    : [first, ...others].map((flow) => build.rows(flow, name));
  if (flows.some(({ dims }) => dims.length !== first.dims.length)) {
    unsupported(name, 'tensors of a sequence and of one row are not joined: repeat the row first');
  }
  build.join(flows);
  return flows;
}

/** The dimensions of what is made of several feature by feature. */
function broadest(call: Call, flows: readonly Flow[]): Dims {
  return flows[0]!.dims.map((_, k) => {
    const sizes = flows.map(({ dims }) => dims[k]);
    const largest = sizes.includes(undefined) ? undefined : Math.max(...(sizes as number[]));
    const isStep = k < flows[0]!.dims.length - 1;
    const fits = sizes.every(
      (size) => size === largest || size === undefined || (!isStep && size === 1),
    );
    if (!fits && !(largest === undefined && isStep)) {
      unsupported(call.name, `tensors of ${sizes.join(' and ')} are not joined feature by feature`);
    }
    return largest;
  });
}

/** A number that a tensor is joined with. */
function constantly(call: Call, type: string): Flow | undefined {
  const [value, ...more] = call.constants;
  if (call.inputs.length !== 1 || value === undefined || more.length) return undefined;
  const factors: Record<string, [number, number]> = {
    add: [1, value],
    subtract: [1, -value],
    multiply: [value, 0],
    divide: [1 / value, 0],
  };
  const [factor, offset] =
    factors[type] ?? unsupported(call.name, `${type} of a number is not supported`);
  return each(call, { type: 'scale', factor, offset });
}

function join(type: 'add' | 'subtract' | 'multiply' | 'divide' | 'average'): Handler {
  return (call) => {
    const scaled = constantly(call, type);
    if (scaled) return scaled;
    const { build, name } = call;
    const flows = joined(call);
    const sized = { dims: broadest(call, flows), held: flows[0]!.held };
    const isPair = flows.length === 2 || type === 'add' || type === 'multiply';
    if (isPair) return build.add(name, { type }, flows, sized);
    if (type !== 'average')
      unsupported(name, `${type} of ${flows.length} tensors is not supported`);
    const sum = build.add(`${name}/sum`, { type: 'add' }, flows, sized);
    return build.add(name, { type: 'scale', factor: 1 / flows.length }, [sum], sized);
  };
}

/** The larger is b + relu(a - b), the smaller b - relu(b - a). */
function extreme(isLargest: boolean): Handler {
  return (call) => {
    const { build, name } = call;
    const flows = joined(call);
    const sized = { dims: broadest(call, flows), held: flows[0]!.held };
    return flows.reduce((b, a, k) => {
      const at = `${name}/${k}`;
      const pair = isLargest ? [a, b] : [b, a];
      const gap = build.add(`${at}/gap`, { type: 'subtract' }, pair, sized);
      const relu = { type: 'activation', activation: 'relu' };
      const more = build.add(`${at}/more`, relu, [gap], sized);
      const own = k === flows.length - 1 ? name : at;
      return build.add(own, { type: isLargest ? 'add' : 'subtract' }, [b, more], sized);
    });
  };
}

function concatenate(call: Call): Flow {
  const { build, name, inputs } = call;
  const axis = own(call.config, 'axis') ?? call.options['axis'] ?? -1;
  const isLast = inputs.every((input) => isLastAxis(axis, input));
  if (!isLast && !call.lead && isFirstAxis(axis, inputs)) return oneAfterAnother(call);
  const flows = inputs.map((input) => build.rows(input, name));
  const [first] = flows;
  if (!first) unsupported(name, 'joins nothing');
  if (!isLast) {
    unsupported(name, `Concatenate over axis ${String(axis)} is not supported: the last one is`);
  }
  if (flows.some(({ dims }) => dims.length !== first.dims.length)) {
    unsupported(name, 'tensors of a sequence and of one row are not joined: repeat the row first');
  }
  if (flows.length === 1) return first;
  build.join(flows);
  const width = flows.reduce((sum, flow) => sum + widthOf(flow, name), 0);
  const dims = [...first.dims.slice(0, -1), width];
  return build.add(name, { type: 'concat' }, flows, { dims, held: first.held });
}

/** Whether an axis is the first one behind the batch, all others being alike. */
function isFirstAxis(axis: unknown, inputs: readonly Flow[]): boolean {
  const [first, ...others] = inputs.map(({ dims }) => dims);
  if (!first || (axis !== 1 && axis !== -first.length)) return false;
  return others.every((dims) => same(dims.slice(1), first.slice(1)));
}

/** All steps of the first tensor, then those of the next: side by side as numbers of one row. */
function oneAfterAnother({ build, name, inputs }: Call): Flow {
  const flows = inputs.map((input) => build.hold(input, 0, name));
  const steps = flows.reduce((sum, { dims }) => sum + dims[0]!, 0);
  const dims = [steps, ...flows[0]!.dims.slice(1)];
  if (flows.length === 1) return flows[0]!;
  return build.add(name, { type: 'concat' }, flows, { dims, held: 0, sequence: undefined });
}

/** Queries, values and keys, as sequences. */
function attended(call: Call): Flow[] {
  const { build, name, lead, named, inputs } = call;
  refuseWhen(call, lead > 0, 'attention within TimeDistributed');
  for (const key of ['attention_mask', 'query_mask', 'value_mask', 'key_mask']) {
    refuseWhen(call, named.has(key) && !named.get(key)![0]?.isMask, key);
  }
  refuseWhen(call, call.options['return_attention_scores'] === true, 'return_attention_scores');
  const given = [...inputs, ...['query', 'value', 'key'].flatMap((key) => named.get(key) ?? [])];
  if (given.length < 2 || given.length > 3)
    unsupported(name, `attention of ${given.length} tensors`);
  const flows = given.map((flow) => {
    if (flow.dims.length !== 2) unsupported(name, 'attention of other than sequences');
    return build.hold(flow, 1, name);
  });
  // A mask of queries leaves the outputs as they are; that of values takes keys away.
  refuseWhen(
    call,
    flows.slice(1).some((flow) => flow.masked),
    'attention over masked steps',
  );
  return flows;
}

function isCausal({ config, options }: Call): boolean {
  return flagOf(options, 'use_causal_mask', flagOf(config, 'causal', false));
}

function attention(call: Call): Flow {
  const { build, name, config, taker, className } = call;
  const flows = attended(call);
  const isAdditive = className === 'AdditiveAttention';
  const mode = textOf(config, 'score_mode') ?? 'dot';
  const hasScale = flagOf(config, 'use_scale', isAdditive);
  const width = widthOf(flows[0]!, name);
  const values = widthOf(flows[1]!, name);
  const parameters: Parameter[] = [];
  const take = (role: string, keras: string, shape: number[]): void => {
    const { data } = taker.take('', keras, shape);
    parameters.push([role, { shape: [data.length], data }]);
  };
  if (isAdditive && !hasScale) unsupported(name, 'AdditiveAttention without use_scale');
  if (isAdditive) take('weight', 'scale', [width]);
  else if (hasScale) take('scale', 'scale', []);
  if (!isAdditive && mode === 'concat') take('weight', 'concat_score_weight', []);
  const options = {
    type: 'attention',
    score: isAdditive ? 'additive' : mode,
    ...(!isAdditive && hasScale && { scale: true }),
    ...(isCausal(call) && { causal: true }),
  };
  const dims = [flows[0]!.dims[0], values];
  return build.add(name, options, flows, { dims, held: 1 }, parameters);
}

/** Projections of queries, keys and values, attention in heads, and the output's projection. */
function multiHead(call: Call): Flow {
  const { build, name, config, taker } = call;
  const flows = attended(call);
  const [query, value, key = value] = flows as [Flow, Flow, Flow?];
  const heads = sizeOf(call, 'num_heads');
  const keyDim = sizeOf(call, 'key_dim');
  const valueDim = sizeOf(call, 'value_dim', keyDim);
  refuseWhen(
    call,
    ![undefined, null].includes(own(config, 'attention_axes') as null) &&
      !same(own(config, 'attention_axes'), [1]),
    'attention_axes',
  );
  const bias = flagOf(config, 'use_bias', true);
  const project = (flow: Flow, of: string, size: number): Flow => {
    const width = widthOf(flow, name);
    const kernel = taker.take(`${of}_dense`, 'kernel', [width, heads, size]);
    const wide = heads * size;
    const weight = layouts.keras.dense({ shape: [width, wide], data: kernel.data });
    const parameters: Parameter[] = [['weight', weight]];
    if (bias) {
      const { data } = taker.take(`${of}_dense`, 'bias', [heads, size]);
      parameters.push(['bias', { shape: [wide], data }]);
    }
    const options = {
      type: 'linear',
      inFeatures: width,
      outFeatures: wide,
      ...(!bias && { bias }),
    };
    return build.add(
      `${name}/${of}`,
      options,
      [flow],
      { dims: [flow.dims[0], wide], held: 1 },
      parameters,
    );
  };
  const q = project(query, 'query', keyDim);
  const k = project(key!, 'key', keyDim);
  const v = project(value, 'value', valueDim);
  const seen = { type: 'attention', heads, ...(isCausal(call) && { causal: true }) };
  const wide = heads * valueDim;
  const dims = [query.dims[0], wide];
  const attended_ = build.add(`${name}/attention`, seen, [q, v, k], { dims, held: 1 });
  const width = numberOf(config, 'output_shape') ?? widthOf(query, name);
  const kernel = taker.take('output_dense', 'kernel', [heads, valueDim, width]);
  const weight = layouts.keras.dense({ shape: [wide, width], data: kernel.data });
  const last: Parameter[] = [['weight', weight]];
  if (bias) last.push(['bias', taker.take('output_dense', 'bias', [width])]);
  const options = { type: 'linear', inFeatures: wide, outFeatures: width, ...(!bias && { bias }) };
  return build.add(name, options, [attended_], { dims: [query.dims[0], width], held: 1 }, last);
}

function rescaling(call: Call): Flow {
  const factor = numberOf(call.config, 'scale') ?? 1;
  const offset = numberOf(call.config, 'offset') ?? 0;
  return each(call, { type: 'scale', factor, offset });
}

/** (x - mean) / standard deviation, of what was adapted or of the configuration. */
function normalization(call: Call): Flow {
  const { config, taker, name } = call;
  checkAxis(call);
  refuseWhen(call, flagOf(config, 'invert', false), 'invert');
  return rowwise(
    call,
    (width) => {
      const given = (key: string): number[] => {
        const value = own(config, key);
        if (value === undefined || value === null) return [...taker.take('', key, [width]).data];
        const numbers = (Array.isArray(value) ? value.flat(4) : [value]).map(Number);
        if (numbers.length !== width && numbers.length !== 1) unsupported(name, `its ${key}`);
        return Array.from({ length: width }, (_, k) => numbers[k % numbers.length]!);
      };
      const [means, variances] = [given('mean'), given('variance')];
      const factor = variances.map((variance) => 1 / Math.max(Math.sqrt(variance), 1e-7));
      const offset = means.map((mean, k) => -mean * factor[k]!);
      return { type: 'scale', factor, offset };
    },
    undefined,
    [],
  );
}

function masking(call: Call): Flow {
  const { build, name } = call;
  const flow = build.rows(only(call), name);
  const { dims, held } = flow;
  const value = numberOf(call.config, 'mask_value') ?? 0;
  const options = { type: 'masking', ...(value !== 0 && { value }) };
  // Where the largest difference is above 0, by more than any number of float32, there is a step.
  const present = once(() => {
    const one = { dims: [...dims.slice(0, -1), 1], held, masked: false };
    const own = { dims, held, masked: false };
    const shifted = { type: 'scale', factor: 1, offset: -value };
    const gap = build.add(`${name}/gap`, shifted, [flow], own);
    const size = { type: 'activation', activation: 'abs' };
    const most = build.add(`${name}/size`, size, [gap], own);
    const largest = build.add(`${name}/largest`, { type: 'reduceMax' }, [most], one);
    const scaled = { type: 'scale', factor: 1e38, offset: 0 };
    return clipped(call, build.add(`${name}/scaled`, scaled, [largest], one));
  });
  return build.add(name, options, [flow], { dims, held, masked: true, present });
}

function dropout(call: Call): Flow {
  const rate = numberOf(call.config, 'rate') ?? 0.5;
  return rate > 0 ? each(call, { type: 'dropout', rate }) : identity(call);
}

const identity = (call: Call): Flow => call.build.read(only(call), call.name);

/** The mask that Keras 3 computes as a tensor of its own. */
const maskOf: Handler = (call) => ({ ...only(call), isMask: true });

function zeroPadding(call: Call): Flow {
  const flow = call.build.read(only(call), call.name);
  const given = own(call.config, 'padding');
  const [left, right] = Array.isArray(given) ? (given as unknown[]) : [given, given];
  if (!Number.isSafeInteger(left) || !Number.isSafeInteger(right) || flow.pad) {
    unsupported(call.name, 'its padding is not known');
  }
  return { ...flow, pad: [left as number, right as number] };
}

function upsample(call: Call): Flow {
  const { build, name } = call;
  const { flow } = overTime(call);
  const size = sizeOf(call, 'size', 2);
  const steps = flow.dims.at(-2);
  const dims = [...flow.dims.slice(0, -2), steps && steps * size, flow.dims.at(-1)];
  return build.add(name, { type: 'upsample1d', size }, [flow], {
    dims,
    held: flow.held,
    masked: false,
  });
}

/** `x[:, -1, :]` as an operation: the last step. */
function getItem(call: Call): Flow {
  const { flow } = overTime(call);
  const key = own(call.config, 'key') ?? call.options['key'] ?? call.options['slice_spec'];
  const parts = Array.isArray(key) ? (key as unknown[]) : [];
  // A slice without numbers takes all.
  const isWhole = (part: unknown): boolean => !/\d/.test(JSON.stringify(part));
  const isLast = parts[1] === -1 && parts.every((part, k) => k === 1 || isWhole(part));
  if (!isLast) unsupported(call.name, 'only [:, -1, :] of a tensor is supported');
  return pooled(call, call.name, flow, 'last');
}

/** Every class that is read. */
export const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['Dense', dense],
  ['EinsumDense', (call) => unsupported(call.name, 'EinsumDense is not supported: use Dense')],
  ['LSTM', recurrentLayer],
  ['GRU', recurrentLayer],
  ['SimpleRNN', recurrentLayer],
  ['RNN', recurrentLayer],
  ['Bidirectional', bidirectional],
  ['Embedding', embedding],
  ['Masking', masking],
  ['NotEqual', maskOf],
  ['Any', maskOf],
  ['Conv1D', convolution],
  ['Conv1DTranspose', transposed],
  ['SeparableConv1D', separable],
  ['DepthwiseConv1D', separable],
  ['MaxPooling1D', windowPool('maxPool1d')],
  ['AveragePooling1D', windowPool('averagePool1d')],
  ['GlobalMaxPooling1D', globalPool('max')],
  ['GlobalAveragePooling1D', globalPool('mean')],
  ['UpSampling1D', upsample],
  ['ZeroPadding1D', zeroPadding],
  ['BatchNormalization', batchNorm],
  ['LayerNormalization', layerNorm],
  ['RMSNormalization', rmsNorm],
  ['Normalization', normalization],
  ['Rescaling', rescaling],
  ['Attention', attention],
  ['AdditiveAttention', attention],
  ['MultiHeadAttention', multiHead],
  ['Concatenate', concatenate],
  ['Add', join('add')],
  ['Subtract', join('subtract')],
  ['Multiply', join('multiply')],
  ['TrueDivide', join('divide')],
  ['Divide', join('divide')],
  ['Average', join('average')],
  ['Maximum', extreme(true)],
  ['Minimum', extreme(false)],
  ['GetItem', getItem],
  ['Reshape', reshape],
  ['Flatten', flatten],
  ['RepeatVector', repeat],
  ['Permute', permute],
  ['Activation', (call) => activationLayer(call, activation(call))],
  ['Softmax', (call) => activationLayer(call, 'softmax')],
  ['ReLU', (call) => activationLayer(call, reluOf(call.config, call.name))],
  [
    'LeakyReLU',
    (call) => activationLayer(call, { type: 'leakyRelu', alpha: slopeOf(call.config, 0.3) }),
  ],
  [
    'ELU',
    (call) => activationLayer(call, { type: 'elu', alpha: numberOf(call.config, 'alpha') ?? 1 }),
  ],
  [
    'ThresholdedReLU',
    (call) =>
      activationLayer(call, {
        type: 'thresholdedRelu',
        alpha: numberOf(call.config, 'theta') ?? 1,
      }),
  ],
  ['PReLU', prelu],
  ['Dropout', dropout],
  ['SpatialDropout1D', dropout],
  ['GaussianDropout', dropout],
  ['AlphaDropout', identity],
  ['GaussianNoise', identity],
  ['ActivityRegularization', identity],
  // What will read it tells whether it is tokens or numbers.
  ['InputLayer', only],
]);
