/** Random models, data and training options that are valid. */

const SIZES = [1, 2, 3, 3, 4, 5, 5, 7, 8, 9, 12, 13, 16, 17, 20];
const ACTIVATIONS = [
  'relu',
  'tanh',
  'sigmoid',
  'affine',
  'leakyRelu',
  'thresholdedRelu',
  'scaledTanh',
  'hardSigmoid',
  'elu',
  'softsign',
  'softplus',
  'identity',
  'gelu',
  'silu',
  'selu',
];

const ON_INPUTS = [
  'concat',
  'add',
  'divide',
  'reduceSum',
  'reduceMax',
  'activation',
  'layerNorm',
  'rmsNorm',
  'batchNorm',
  'dropout',
  'attention',
  'convTranspose1d',
  'prelu',
  'scale',
  'delay',
];

const activation = (random) => {
  const type = random.pick(ACTIVATIONS);
  if (random.chance(0.7)) return type;
  if (['affine', 'scaledTanh', 'hardSigmoid'].includes(type))
    return { type, alpha: 0.3, beta: 0.4 };
  return ['leakyRelu', 'thresholdedRelu', 'elu'].includes(type) ? { type, alpha: 0.3 } : { type };
};

/** What a layer may have, each with a small probability. */
function maybe(random, probability, make) {
  return random.chance(probability) ? make() : {};
}

function recurrent(random, mayReadBoth = true) {
  const type = random.pick(['lstm', 'lstm', 'gru', 'gru', 'rnn', 'indrnn', 'mingru']);
  const hiddenSize = random.pick(SIZES);
  const bidirectional = random.chance(0.2) && mayReadBoth;
  const layer = { type, hiddenSize };
  const add = (probability, make) => Object.assign(layer, maybe(random, probability, make));
  add(0.25, () => ({ numLayers: 2 }));
  add(0.2, () => ({ bias: false }));
  if (bidirectional) {
    Object.assign(layer, { bidirectional, merge: random.pick(['concat', 'sum', 'mul', 'ave']) });
  } else {
    add(0.1, () => ({ direction: 'backward' }));
  }
  const count = { lstm: 3, gru: 2, rnn: 1, indrnn: 1, mingru: 2 }[type];
  add(0.15, () => ({
    activations: Array.from({ length: count * (bidirectional && random.chance(0.5) ? 2 : 1) }, () =>
      activation(random),
    ),
  }));
  add(0.1, () => ({ clip: 2 }));
  add(0.15, () => ({ initialState: 'learned' }));
  for (const option of ['dropout', 'inputDropout', 'recurrentDropout', 'zoneout']) {
    if (type === 'mingru' && option === 'recurrentDropout') continue;
    if (option === 'dropout' && !layer.numLayers) continue;
    add(0.08, () => ({ [option]: 0.25 }));
  }
  if (type === 'rnn' || type === 'indrnn') add(0.4, () => ({ nonlinearity: 'relu' }));
  if (type === 'lstm') {
    add(0.25, () => ({ peephole: random.pick(['diagonal', 'cell']) }));
    add(0.2, () => ({ inputForget: true }));
    add(0.15, () => ({ cellClip: 1.5 }));
    add(0.15, () => ({ layerNorm: true }));
    if (hiddenSize > 1) add(0.2, () => ({ projSize: random.from(1, hiddenSize - 1) }));
    if (layer.projSize) add(0.4, () => ({ projClip: 0.5 }));
  }
  if (type === 'gru') {
    add(0.3, () => ({ resetAfter: false }));
    if (layer.resetAfter !== false) add(0.2, () => ({ layerNorm: true }));
  }
  return layer;
}

/** A description, all of it valid. */
export function description(random) {
  const layers = [];
  const tokens = random.chance(0.3);
  const inputs = random.pick(SIZES);
  if (tokens) {
    const embeddingDim = random.pick(SIZES);
    layers.push({ type: 'embedding', numEmbeddings: random.from(2, 20), embeddingDim });
  }
  const count = random.pick([1, 1, 1, 2]);
  for (let k = 0; k < count; k++) layers.push(recurrent(random));
  if (random.chance(0.2)) layers.push(...within(random));
  if (random.chance(0.15)) layers.push(attention(random, 1));
  if (random.chance(0.15)) {
    layers.push({ type: 'pool', mode: random.pick(['last', 'mean', 'max']) });
    if (random.chance(0.3)) layers.push(...again(random));
  }
  const isTied = tokens && random.chance(0.3);
  if (isTied) {
    layers.push({ type: 'linear', outFeatures: layers[0].embeddingDim });
    layers.push({ type: 'linear', tied: 'embedding', bias: random.chance(0.5) });
  } else if (random.chance(0.7)) {
    layers.push({ type: 'linear', outFeatures: random.pick(SIZES), bias: random.chance(0.8) });
  }
  if (!tokens) layers[0].inputSize = inputs;
  // Rows of inputs are not padded: what reads them may not go beyond them.
  if (!tokens && random.chance(0.3)) layers.unshift(onInputs(random, inputs, layers[0]));
  return { layers };
}

/** Layers within a step, by their names: no state of theirs goes from step to step. */
function within(random) {
  const steps = random.from(1, 5);
  const width = random.from(1, 4);
  const named = (layer, k) => ({ ...layer, name: `inner${k}` });
  const inside = [
    { type: 'conv1d', outChannels: random.pick(SIZES), kernelSize: 3, stride: 2, padding: 'same' },
    { ...recurrent(random), initialState: 'zero' },
    { type: 'maxPool1d', poolSize: 2, padding: 'same' },
    { type: 'reverse' },
  ];
  return [
    { type: 'linear', outFeatures: steps * width },
    { type: 'unfold', steps },
    random.pick(inside),
    { type: 'linear', outFeatures: width },
    { type: 'pool', mode: random.pick(['last', 'mean', 'max']) },
  ].map(named);
}

/** A row of the whole sequence as a sequence again, and as one row at the end. */
function again(random) {
  const decoder = recurrent(random, /* mayReadBoth */ false);
  return [{ type: 'repeat', steps: random.from(1, 4) }, decoder, { type: 'pool', mode: 'last' }];
}

function attention(random, width) {
  return {
    type: 'attention',
    score: random.pick(['dot', 'scaledDot', 'additive', 'concat']),
    heads: random.pick([1, 2, 3, width].filter((heads) => width % heads === 0)),
    scale: random.chance(0.5),
    causal: random.chance(0.5),
  };
}

/** A layer before the first one, whose input size follows. */
function onInputs(random, width, next) {
  const type = random.pick(ON_INPUTS);
  const reads = [width, width];
  if (type === 'attention') {
    next.inputSize = width;
    const sizes = random.pick([[width], reads, [...reads, width]]);
    const inputs = sizes.map(() => 'input');
    return { ...attention(random, width), inputs, inputSizes: sizes };
  }
  const isJoin = ['concat', 'add', 'divide'].includes(type);
  const outputs = { concat: 2 * width, reduceSum: 1, reduceMax: 1 }[type] ?? width;
  next.inputSize = outputs;
  if (isJoin) return { type, inputs: reads.map(() => 'input'), inputSizes: reads };
  if (type === 'activation') return { type, activation: 'abs', inputSize: width };
  if (type === 'batchNorm') return { type, inputSize: width, frozen: random.chance(0.3) };
  // As many steps as before.
  if (type === 'convTranspose1d')
    return { type, inChannels: width, outChannels: width, kernelSize: 3, padding: 1 };
  if (type === 'prelu') return { type, shared: random.chance(0.5), inputSize: width };
  if (type === 'scale') return { type, factor: [...random.floats(width)], inputSize: width };
  if (type === 'delay') return { type, steps: random.from(1, 9), inputSize: width };
  return { type, inputSize: width };
}

/** What the calls need to know of a model. */
export function sizesOf({ description: { layers }, inputSize, outputSize, pooled, takesTokens }) {
  const outside = layers.filter(({ name }) => !name.startsWith('inner'));
  return {
    layers,
    inputs: inputSize,
    outputs: outputSize,
    pooled,
    tokens: takesTokens ? layers[0].numEmbeddings : undefined,
    causal: !outside.some(
      ({ bidirectional, direction, type }) =>
        bidirectional ||
        direction === 'backward' ||
        type === 'attention' ||
        type === 'convTranspose1d',
    ),
    segments: !layers.some(({ type, frozen }) => type === 'batchNorm' && !frozen),
    streams: !outside.some(
      ({ type, mode }) => (type === 'pool' && mode !== 'last') || type === 'repeat',
    ),
  };
}

/** Inputs of so many rows: features or tokens. */
export function inputs(random, { tokens, inputs: width }, rows) {
  return tokens ? random.integers(rows, 0, tokens - 1) : random.floats(rows * width);
}

/** Other numbers for a parameter; a variance is not negative. */
export function parameter(random, name, { length }) {
  const values = random.floats(length, 0.5);
  return name.endsWith('running_var') ? values.map(Math.abs) : values;
}

/** Lengths of rows, the first of which has all steps. */
export function lengths(random, batch, steps) {
  const rows = random.integers(batch, 0, steps);
  rows[random.from(0, batch - 1)] = steps;
  return random.chance(0.5) ? rows : [...rows];
}

/** States of all recurrent layers. */
export function state(random, { layers }, batch) {
  const states = {};
  const counts = {};
  for (const layer of layers) {
    const { type, name = type, hiddenSize, numLayers = 1, bidirectional, projSize } = layer;
    counts[name] = (counts[name] ?? 0) + 1;
    if (type === 'delay')
      states[name] = { h: random.floats(layer.steps * batch * layer.inputSize) };
    if (!hiddenSize || name.startsWith('inner') || random.chance(0.3)) continue;
    const rows = numLayers * (bidirectional ? 2 : 1) * batch;
    const h = random.floats(rows * (projSize ?? hiddenSize));
    states[name] = type === 'lstm' ? { h, c: random.floats(rows * hiddenSize) } : { h };
  }
  return states;
}

/** A loss that fits so many outputs. */
export function loss(random, { outputs, pooled }) {
  const type = random.pick(['cross-entropy', 'cross-entropy', 'mse', 'mae', 'huber', 'bce', 'ctc']);
  if (type === 'cross-entropy') {
    return {
      type,
      ...maybe(random, 0.3, () => ({ classWeights: random.floats(outputs).map((w) => 1.1 + w) })),
      ...maybe(random, 0.3, () => ({ ignoreIndex: -100 })),
    };
  }
  if (type === 'huber') return { type, delta: 0.5 };
  if (type !== 'ctc') return { type };
  if (outputs < 2 || pooled) return { type: 'mse' };
  return { type, blank: random.from(0, outputs - 1), zeroInfinity: true };
}

function optimizer(random) {
  const lr = random.pick([0.001, 0.01, 0.05]);
  const form = random.pick(['pytorch', 'keras']);
  return random.pick([
    { type: 'sgd', lr, form },
    { type: 'sgd', lr, momentum: 0.9, nesterov: true },
    { type: 'sgd', lr, momentum: 0.5, dampening: 0.5, weightDecay: 0.01 },
    { type: 'rmsprop', lr, form, momentum: random.pick([0, 0.5]) },
    { type: 'adagrad', lr, form },
    { type: 'adam', lr, form, betas: [0.8, 0.9] },
    { type: 'adamw', lr, form },
  ]);
}

/** Options of a trainer. */
export function trainerOptions(random, sizes) {
  const options = { batch: random.from(1, 4), steps: random.from(1, 8) };
  const add = (probability, make) => Object.assign(options, maybe(random, probability, make));
  options.loss = loss(random, sizes);
  add(0.9, () => ({ optimizer: optimizer(random) }));
  add(0.4, () => ({
    gradClip: random.pick([{ norm: 1 }, { tensorNorm: 0.5 }, { value: 0.1 }, { step: 0.1 }]),
  }));
  add(0.2, () => ({
    groups: [
      { parameters: [sizes.layers.at(-1).name], lr: random.pick([0, 0.01]), weightDecay: 0.1 },
    ],
  }));
  // A layer without parameters of its own cannot be in a group.
  if (['pool', 'attention'].includes(sizes.layers.at(-1).type) || sizes.layers.at(-1).tied)
    delete options.groups;
  add(0.5, () => ({ onNonFinite: 'skip' }));
  add(0.3, () => ({ seed: random.from(0, 1000) }));
  const cuts = !sizes.pooled && options.loss.type !== 'ctc';
  if (cuts && random.chance(sizes.tokens ? 0.6 : 0.35)) {
    const steps = random.from(1, options.steps);
    options.bptt = { back: steps, every: random.from(1, steps) };
  }
  return options;
}

/** Targets of rows of outputs of `steps` steps, and of `ctc` how many of each row count. */
export function targets(random, { loss: { type, blank } }, { outputs, pooled }, batch, steps) {
  const rows = batch * (pooled ? 1 : steps);
  if (type === 'cross-entropy') return { target: random.integers(rows, 0, outputs - 1) };
  if (type === 'bce') return { target: random.floats(rows * outputs).map(Math.abs) };
  if (type !== 'ctc') return { target: random.floats(rows * outputs) };
  const most = random.from(1, 3);
  const labels = random.integers(batch * most, 0, outputs - 2);
  const target = labels.map((label) => (label >= blank ? label + 1 : label));
  return { target, targetLengths: [...random.integers(batch, 0, most)] };
}
