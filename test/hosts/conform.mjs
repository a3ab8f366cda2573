// One program for every host: what a network computes here, as fingerprints of bits. Imports
// nothing and touches no global that a worklet lacks; what it is given is what the entries export,
// an engine, and the bytes of files.

const STEPS = 23;
const BATCH = 3;
const SEQUENCE = { steps: STEPS, batch: BATCH };

/** Plain networks, their training, and one that is large enough for threads. */
const NETWORKS = [
  {
    layers: [
      { type: 'embedding', numEmbeddings: 29, embeddingDim: 10 },
      { type: 'lstm', hiddenSize: 19, numLayers: 2 },
      { type: 'linear', outFeatures: 29 },
    ],
    trainer: {
      loss: 'cross-entropy',
      optimizer: { type: 'adamw', lr: 0.01 },
      gradClip: { norm: 1 },
    },
  },
  {
    layers: [
      { type: 'lstm', inputSize: 7, hiddenSize: 13, peephole: 'diagonal' },
      { type: 'gru', hiddenSize: 11 },
      { type: 'gru', hiddenSize: 9, resetAfter: false },
      { type: 'rnn', hiddenSize: 12 },
      { type: 'linear', outFeatures: 5 },
    ],
    trainer: { loss: 'mse', optimizer: { type: 'sgd', lr: 0.05, momentum: 0.9 } },
  },
  {
    layers: [{ type: 'lstm', inputSize: 32, hiddenSize: 96 }],
    trainer: { loss: 'mse', optimizer: { type: 'adam', lr: 0.01 } },
  },
];

/** A graph with two branches, over a convolution. */
const GRAPH = [
  {
    type: 'conv1d',
    inChannels: 4,
    outChannels: 12,
    kernelSize: 3,
    padding: 'causal',
    name: 'conv',
  },
  { type: 'layerNorm', name: 'norm' },
  { type: 'gru', hiddenSize: 12, name: 'gru' },
  { type: 'add', inputs: ['gru', 'conv'] },
  { type: 'linear', outFeatures: 3 },
];

/** FNV-1a of the bits, twice with other starts: 64 bits as text. */
export function fingerprint(...arrays) {
  let a = 0x811c9dc5;
  let b = 0x1000193;
  for (const array of arrays) {
    for (const byte of new Uint8Array(array.buffer, array.byteOffset, array.byteLength)) {
      a = Math.imul(a ^ byte, 0x1000193);
      b = Math.imul(b ^ byte, 0x01000193) + 0x9e3779b9;
    }
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}

/** The same numbers everywhere: multiples of 2^-8 between -1 and 1, or tokens. */
function numbers(count, seed, tokens) {
  let state = seed;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 16;
  if (tokens) return Int32Array.from({ length: count }, () => next() % tokens);
  return Float32Array.from({ length: count }, () => (next() % 512) / 256 - 1);
}

const statesOf = (state) => Object.values(state).flatMap(({ h, c }) => (c ? [h, c] : [h]));
const weightsOf = (model) => [...model.stateDict().values()].map(({ data }) => data);

/** What a model takes and what it should give. */
function exampleFor(model) {
  const tokens = model.takesTokens ? model.outputSize : 0;
  const width = tokens ? 1 : model.inputSize;
  const x = numbers(STEPS * BATCH * width, 1, tokens);
  const target = numbers(STEPS * BATCH * (tokens ? 1 : model.outputSize), 2, tokens);
  return { x, target, width };
}

function forward(model) {
  const { output, state } = model.forward(exampleFor(model).x, SEQUENCE);
  return [output, ...statesOf(state ?? {})];
}

function stream(model) {
  const { x, width } = exampleFor(model);
  const live = model.stream({ batch: BATCH });
  const output = new Float32Array(STEPS * BATCH * model.outputSize);
  const [taken, given] = [BATCH * width, BATCH * model.outputSize];
  for (let t = 0; t < STEPS; t++) {
    live.step(x.subarray(t * taken, (t + 1) * taken), output.subarray(t * given, (t + 1) * given));
  }
  const bits = [output, ...statesOf(live.save())];
  live.dispose();
  return bits;
}

/** Some updates, and the bits of their reports. */
function train(trainer, updates) {
  const { x, target } = exampleFor(trainer.model);
  const reports = Array.from({ length: updates }, () => trainer.trainOn(x, target));
  return Float64Array.from(reports.flatMap(({ loss, gradNorm }) => [loss, gradNorm]));
}

/** A float64 array has the loss of an update, then the norm of its gradient. */
function demandLearning(reports) {
  if (!(reports.at(-2) < reports[0])) throw new Error(`nothing was learnt: losses ${reports}`);
}

/**
 * What this host computes: by check, a fingerprint. That a stream gives what the whole sequence
 * does, that training learns, and that a saved run goes on as if never stopped, is demanded here;
 * that the bits are those of other hosts is for the caller to compare.
 */
export function conform(entries, engine, files) {
  const { Model, Trainer, saveModel, loadModel, saveTrainer, loadTrainer } = entries;
  const bits = { forward: [], stream: [], train: [], save: [], load: [], resume: [] };
  for (const { layers, trainer: options } of NETWORKS) {
    const model = Model.create(engine, { layers }, { seed: 11 });
    const [whole, stepped] = [forward(model), stream(model)];
    if (fingerprint(...whole) !== fingerprint(...stepped))
      throw new Error('a stream gave other outputs than the whole sequence');
    bits.forward.push(...weightsOf(model), ...whole);
    bits.stream.push(...stepped);

    const trainer = Trainer.create(model, { ...SEQUENCE, ...options });
    const reports = train(trainer, 2);
    demandLearning(reports);
    bits.train.push(reports, ...weightsOf(model));

    const [saved, run] = [saveModel(model), saveTrainer(trainer)];
    bits.save.push(saved, run);
    const again = loadModel(engine, saved);
    bits.load.push(...forward(again));
    const resumed = Trainer.create(again, { ...SEQUENCE, ...options });
    loadTrainer(resumed, run);
    bits.resume.push(train(resumed, 2), ...weightsOf(again));
    train(trainer, 2);
    if (fingerprint(...weightsOf(again)) !== fingerprint(...weightsOf(model)))
      throw new Error('a resumed run went elsewhere');
    for (const used of [resumed, trainer, again, model]) used.dispose();
  }

  const graph = Model.create(engine, { layers: GRAPH }, { seed: 5 });
  const trainer = Trainer.create(graph, {
    ...SEQUENCE,
    loss: 'mse',
    optimizer: { type: 'adam', lr: 0.01 },
  });
  const reports = train(trainer, 3);
  demandLearning(reports);
  bits.conv1d = [...forward(graph), ...stream(graph), reports, ...weightsOf(graph)];

  const small = Model.create(engine, { layers: NETWORKS[1].layers }, { seed: 11 });
  const quantized = small.quantize();
  bits.int8 = [...forward(quantized), ...stream(quantized), saveModel(quantized)];

  bits.keras = files.keras.flatMap((bytes) => forward(entries.loadKeras(engine, bytes)));
  const onnx = entries.writeOnnx(small);
  bits.onnx = [onnx, ...forward(entries.loadOnnx(engine, onnx))];

  const checks = Object.entries(bits).map(([check, arrays]) => [check, fingerprint(...arrays)]);
  return { variant: engine.variant, checks: Object.fromEntries(checks) };
}
