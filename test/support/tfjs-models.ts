/** Random layers models in TensorFlow.js, with their outputs, as the files that it saves. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

export type Random = () => number;
type Symbolic = tfl.SymbolicTensor;

export async function prepare(): Promise<void> {
  // Else it advertises its native package on every run.
  tf.env().set('IS_TEST', true);
  await tf.setBackend('cpu');
}

export interface SavedModel {
  readonly modelTopology: Record<string, unknown>;
  readonly specs: readonly tf.io.WeightsManifestEntry[];
  readonly data: Uint8Array;
}

export interface RandomModel extends SavedModel {
  readonly model: tfl.LayersModel;
  readonly batch: number;
  /** Steps of the inputs; 1 where none has steps. */
  readonly steps: number;
  readonly inputs: readonly { readonly name: string; readonly tensor: tf.Tensor }[];
  /** Whether training it gives the same everywhere: no masks drawn, no batch statistics. */
  readonly isPlain: boolean;
}

/** What TensorFlow.js saves of a model. */
export async function save(model: tfl.LayersModel): Promise<SavedModel> {
  let saved: SavedModel | undefined;
  await model.save(
    tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
      const data = new Uint8Array(weightData as ArrayBuffer);
      // What a file would say.
      const topology = JSON.parse(JSON.stringify(modelTopology)) as Record<string, unknown>;
      saved = { modelTopology: topology, specs: weightSpecs!, data };
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  return saved!;
}

/** The `model.json` and its files of weights, cut at `cut` of all bytes. */
export function filesOf(
  { modelTopology, specs, data }: SavedModel,
  cut = 0.4,
): { json: object; shards: Record<string, Uint8Array> } {
  const at = Math.floor(cut * data.length);
  const paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin'];
  const weightsManifest = [{ paths, weights: specs }];
  return {
    json: { format: 'layers-model', modelTopology, weightsManifest },
    shards: { [paths[0]!]: data.slice(0, at), [paths[1]!]: data.slice(at) },
  };
}

type AnyLayer = () => tfl.layers.Layer;

const pick = <T>(random: Random, ...values: readonly T[]): T =>
  values[Math.floor(random() * values.length)]!;
const whole = (random: Random, low: number, high: number): number =>
  low + Math.floor(random() * (high - low + 1));
const numbers = (random: Random, count: number): Float32Array =>
  Float32Array.from({ length: count }, () => 2 * random() - 1);

const ACTIVATIONS = [
  'linear',
  'relu',
  'tanh',
  'sigmoid',
  'hardSigmoid',
  'elu',
  'selu',
  'softplus',
  'softsign',
  'swish',
  'relu6',
] as const;
type Name = 'tanh';
const CELL_ACTIVATIONS = ['tanh', 'tanh', 'relu', 'swish', 'selu', 'softsign', 'linear'] as const;

/** A recurrent layer of any options. */
function recurrent(
  random: Random,
  returnSequences: boolean,
  reads: Symbolic,
  isMasked = false,
): Symbolic {
  const isPlain = random() < 0.3;
  // The usual one needs what this build of TensorFlow.js has not.
  const recurrentInitializer = 'glorotUniform' as const;
  const options = {
    units: whole(random, 1, 6),
    recurrentInitializer,
    returnSequences,
    ...(!isPlain && {
      activation: pick(random, ...CELL_ACTIVATIONS) as Name,
      recurrentActivation: pick(random, 'sigmoid', 'hardSigmoid') as Name,
      useBias: random() < 0.8,
    }),
  };
  const isBoth = random() < 0.35;
  const all = {
    ...options,
    ...(!isBoth && { goBackwards: random() < 0.3 && !(isMasked && returnSequences) }),
  };
  const layer = pick<AnyLayer>(
    random,
    () => tfl.layers.lstm({ ...all, unitForgetBias: true }),
    () => tfl.layers.gru(all),
    () => tfl.layers.simpleRNN(all),
    () => {
      const cells = [
        tfl.layers.lstmCell({ units: 3, recurrentInitializer }),
        tfl.layers.gruCell({ units: 2, recurrentInitializer }),
      ];
      const stacked = tfl.layers.stackedRNNCells({ cells: cells as never }) as unknown;
      // A mask of several cells fails.
      const cell = isMasked ? cells[0]! : pick<unknown>(random, cells[0]!, stacked);
      return tfl.layers.rnn({ cell: cell as never, returnSequences });
    },
  )();
  const isCell = layer.getClassName() === 'RNN';
  if (!isBoth || isCell) return layer.apply(reads) as Symbolic;
  const mergeMode = pick(random, 'concat', 'sum', 'mul', 'ave') as 'concat';
  return tfl.layers.bidirectional({ layer: layer as never, mergeMode }).apply(reads) as Symbolic;
}

/** A layer that leaves the shape alone. */
function pointwise(random: Random, reads: Symbolic, isPlain: boolean): Symbolic {
  const { layers } = tfl;
  const all = [
    () => layers.activation({ activation: pick(random, ...ACTIVATIONS, 'softmax') as Name }),
    () => layers.leakyReLU({ alpha: 0.2 }),
    () => layers.elu({ alpha: 1 }),
    () => layers.reLU({ ...(random() < 0.5 && { maxValue: 0.5 }) }),
    () => layers.thresholdedReLU({ theta: 0.3 }),
    () => layers.softmax({ axis: -1 }),
    () =>
      layers.layerNormalization({ epsilon: 1e-3, center: random() < 0.8, scale: random() < 0.8 }),
    () => layers.dense({ units: reads.shape.at(-1)!, activation: 'tanh' }),
  ];
  const others = [
    () =>
      layers.batchNormalization({ momentum: 0.9, center: random() < 0.8, scale: random() < 0.8 }),
    () => layers.dropout({ rate: 0.3 }),
    () => layers.gaussianNoise({ stddev: 0.3 }),
  ];
  const layer = pick<AnyLayer>(random, ...all, ...(isPlain ? [] : others))();
  return layer.apply(reads) as Symbolic;
}

/** A layer over steps, whose outputs are steps again. */
function stepwise(random: Random, reads: Symbolic): Symbolic {
  const { layers } = tfl;
  const steps = reads.shape[1];
  const isLong = steps === null || steps > 4;
  const padding = pick(random, 'same', isLong ? 'valid' : 'same') as 'same' | 'valid';
  const poolPadding = pick(random, 'same', isLong ? 'valid' : 'same') as 'same' | 'valid';
  const dilationRate = padding === 'valid' ? 1 : whole(random, 1, 2);
  const conv = {
    filters: whole(random, 1, 5),
    kernelSize: whole(random, 1, 3),
    padding,
    dilationRate,
    strides: dilationRate > 1 || !isLong ? 1 : whole(random, 1, 2),
    activation: pick(random, 'linear', 'relu', 'tanh') as Name,
    useBias: random() < 0.8,
  };
  const layer = pick<AnyLayer>(
    random,
    () => layers.conv1d(conv),
    () => layers.maxPooling1d({ poolSize: 2, padding: poolPadding, strides: whole(random, 1, 2) }),
    // With padding its gradient is not that of its outputs.
    () => layers.averagePooling1d({ poolSize: isLong ? 2 : 1, strides: whole(random, 1, 2) }),
    () =>
      layers.timeDistributed({ layer: layers.dense({ units: 3, activation: 'tanh' }) as never }),
    () => layers.dense({ units: whole(random, 1, 5), useBias: random() < 0.8 }),
    () => layers.prelu({ sharedAxes: [1] }),
  )();
  return layer.apply(reads) as Symbolic;
}

/** Sequences as one row. */
function closing(random: Random, reads: Symbolic, isMasked: boolean): Symbolic {
  const { layers } = tfl;
  const isFixed = reads.shape[1] !== null && !isMasked;
  const own = [
    () => recurrent(random, false, reads, isMasked),
    () => recurrent(random, false, reads, isMasked),
    () => recurrent(random, false, reads, isMasked),
  ];
  const pools = [
    () => layers.globalAveragePooling1d({}).apply(reads) as Symbolic,
    () => layers.globalMaxPooling1d({}).apply(reads) as Symbolic,
  ];
  const fixed = [() => layers.flatten({}).apply(reads) as Symbolic];
  return pick(random, ...own, ...(isMasked ? [] : pools), ...(isFixed ? fixed : []))();
}

/** Two branches of one tensor that meet again. */
function branches(random: Random, reads: Symbolic, make: (reads: Symbolic) => Symbolic): Symbolic {
  const { layers } = tfl;
  const [a, b] = [make(reads), make(reads)];
  if (random() < 0.4) return layers.concatenate().apply([a, b]) as Symbolic;
  const units = a.shape.at(-1)!;
  const fitted = b.shape.at(-1) === units ? b : (layers.dense({ units }).apply(b) as Symbolic);
  const join = pick<AnyLayer>(
    random,
    () => layers.add(),
    () => layers.multiply(),
    () => layers.average(),
    () => layers.maximum(),
    () => layers.minimum(),
  )();
  return join.apply([a, fitted]) as Symbolic;
}

/** The layers of a model after its inputs. */
function wire(
  random: Random,
  input: Symbolic,
  isPlain: boolean,
  isTokens: boolean,
  mayMask: boolean,
): Symbolic {
  const { layers } = tfl;
  let x = input;
  let isMasked = false;
  if (isTokens) {
    isMasked = mayMask && random() < 0.4;
    const options = { inputDim: 9, outputDim: whole(random, 1, 4), maskZero: isMasked };
    x = layers.embedding(options).apply(x) as Symbolic;
  } else if (mayMask && random() < 0.2) {
    isMasked = true;
    x = layers.masking({ maskValue: 0 }).apply(x) as Symbolic;
  }
  for (let k = whole(random, 0, 2); k > 0; k--) {
    if (random() < 0.5) x = recurrent(random, true, x, isMasked);
    else if (!isMasked) x = stepwise(random, x);
    if (random() < 0.3 && !isMasked) x = pointwise(random, x, isPlain);
  }
  const isSequence = random() < 0.25;
  if (!isSequence) {
    const close = (reads: Symbolic): Symbolic => closing(random, reads, isMasked);
    x = random() < 0.2 ? branches(random, x, close) : close(x);
    if (random() < 0.4 && !isMasked) x = pointwise(random, x, isPlain);
    // TensorFlow.js gives every layer after a masked one the last mask, whether it has one or not.
    if (random() < 0.15 && !isMasked) {
      x = layers.repeatVector({ n: 3 }).apply(x) as Symbolic;
      x = recurrent(random, random() < 0.5, x);
    } else if (random() < 0.1 && !isMasked && x.shape[1]! % 2 === 0) {
      x = layers.reshape({ targetShape: [2, x.shape[1]! / 2] }).apply(x) as Symbolic;
      x = recurrent(random, false, x);
    }
  }
  const units = whole(random, 1, 4);
  const activation = pick(random, 'linear', 'softmax', 'sigmoid') as Name;
  return layers.dense({ units, activation }).apply(x) as Symbolic;
}

/** A model of random wiring, options and weights, and inputs for it. */
export async function randomModel(random: Random): Promise<RandomModel> {
  const isPlain = random() < 0.6;
  const steps = whole(random, 5, 9);
  const batch = whole(random, 1, 3);
  const isOpen = random() < 0.5;
  const width = whole(random, 1, 4);
  const isTokens = random() < 0.3;
  const shape = [isOpen ? null : steps, ...(isTokens ? [] : [width])];
  const isTwo = random() < 0.2;
  const input = tfl.input({ shape });
  const inputs = [input];
  let output: Symbolic | Symbolic[] = wire(random, input, isPlain, isTokens, !isTwo);
  if (isTwo) {
    const other = tfl.input({ shape: [isOpen ? null : steps, 2] });
    inputs.push(other);
    const second = wire(random, other, isPlain, false, false);
    const isRow = output.shape.length === 2 && second.shape.length === 2;
    output = isRow
      ? (tfl.layers.concatenate().apply([output, second]) as Symbolic)
      : [output, second];
  }
  const model = tfl.model({ inputs, outputs: output });
  for (const layer of model.layers) {
    const isNorm = layer.getClassName() === 'BatchNormalization';
    const drawn = layer.getWeights().map(({ shape: size }) => {
      const count = size.reduce((product, n) => product * n, 1);
      const values = numbers(random, count);
      return tf.tensor(isNorm ? values.map((value) => Math.abs(value) + 0.1) : values, size);
    });
    layer.setWeights(drawn);
  }
  const given = inputs.map(({ name, shape: [, , features] }) => {
    const count = batch * steps * (features ?? 1);
    if (typeof features !== 'number') {
      // All of a sequence differ: which of equal steps is the largest is nobody's to say.
      const tokens = Array.from({ length: batch }, () => {
        const drawn = Array.from({ length: 9 }, (_, token) => ({ token, at: random() }));
        return drawn.sort((a, b) => a.at - b.at).slice(0, steps);
      });
      const values = Int32Array.from(tokens.flat(), ({ token }) => token);
      return { name, tensor: tf.tensor(values, [batch, steps], 'int32') };
    }
    const values = numbers(random, count);
    // Some steps are those that a Masking layer looks for, anywhere.
    for (let row = 0; row < batch * steps; row++) {
      if (!isPlain && random() < 0.2) values.fill(0, row * features, (row + 1) * features);
    }
    return { name, tensor: tf.tensor(values, [batch, steps, features]) };
  });
  return { ...(await save(model)), model, batch, steps, inputs: given, isPlain };
}

/** A model that TensorFlow.js itself can run: some it builds, but fails at. */
export async function workingModel(random: Random): Promise<[RandomModel, Float32Array[]]> {
  for (;;) {
    try {
      const model = await randomModel(random);
      return [model, outputsOf(model)];
    } catch {
      // The next one.
    }
  }
}

/** All outputs of a model. */
export function outputsOf({ model, inputs }: RandomModel): Float32Array[] {
  return tf.tidy(() => {
    const out = model.predict(inputs.map(({ tensor }) => tensor)) as tf.Tensor | tf.Tensor[];
    return [out].flat().map((tensor) => tensor.dataSync() as Float32Array);
  });
}

export { tf, tfl };
