// One program for every host: what a network computes here, as fingerprints of bits. Imports
// nothing and touches no global that a worklet lacks; what it is given is what an entry exports,
// and an engine.

const MODELS = [
  {
    name: 'tokens -> lstm -> lstm -> linear',
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
    name: 'features -> peephole lstm -> gru -> rnn -> linear',
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
    name: 'features -> lstm, large enough for threads',
    layers: [{ type: 'lstm', inputSize: 32, hiddenSize: 96 }],
    trainer: { loss: 'mse', optimizer: { type: 'adam', lr: 0.01 } },
  },
];
const STEPS = 23;
const BATCH = 3;

/** FNV-1a of the bits, twice with other starts: 64 bits as text. */
function fingerprint(...arrays) {
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

function statesOf(state) {
  return Object.values(state).flatMap(({ h, c }) => (c ? [h, c] : [h]));
}

function run({ Model, Trainer }, engine, { layers, trainer: options }) {
  const model = Model.create(engine, { layers }, { seed: 11 });
  const tokens = model.takesTokens ? layers[0].numEmbeddings : 0;
  const width = model.takesTokens ? 1 : model.inputSize;
  const input = numbers(STEPS * BATCH * width, 1, tokens);
  const target = numbers(STEPS * BATCH * (tokens ? 1 : model.outputSize), 2, tokens);
  const sequence = { steps: STEPS, batch: BATCH };

  const parameters = fingerprint(...[...model.stateDict().values()].map(({ data }) => data));
  const { output, state } = model.forward(input, sequence);
  const forward = fingerprint(output, ...statesOf(state));

  const stream = model.stream({ batch: BATCH });
  const out = new Float32Array(BATCH * model.outputSize);
  const outs = [];
  for (let t = 0; t < STEPS; t++) {
    stream.step(input.subarray(t * BATCH * width, (t + 1) * BATCH * width), out);
    outs.push(out.slice());
  }
  const streamed = fingerprint(...outs, ...statesOf(stream.save()));
  stream.dispose();

  const trainer = Trainer.create(model, { batch: BATCH, steps: STEPS, ...options });
  const reports = [trainer.trainOn(input, target), trainer.trainOn(input, target)];
  const training = fingerprint(
    Float64Array.from(reports.flatMap(({ loss, gradNorm }) => [loss, gradNorm])),
    ...[...model.stateDict().values()].map(({ data }) => data),
  );
  const learns = reports[1].loss < reports[0].loss;
  trainer.dispose();
  model.dispose();
  return { parameters, forward, streamed, training, learns };
}

/**
 * What this host computes: by model, fingerprints of fresh parameters, a forward pass, a stream and
 * two training steps.
 */
export function smoke(entry, engine) {
  const results = MODELS.map((model) => [model.name, run(entry, engine, model)]);
  return { simd: engine.variant, ...Object.fromEntries(results) };
}
