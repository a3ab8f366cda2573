/** Runs a model that was read of an ONNX file on tensors as ONNX has them. */
import type { Model, ModelState } from '../../src/hosts/default.ts';

export interface OnnxArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

interface StateUse {
  readonly input: string;
  readonly layer: string;
  readonly state: 'h' | 'c';
  readonly from: number;
  readonly to: number;
  readonly step?: number;
}

interface OnnxMetadata {
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  readonly outputs: Readonly<Record<string, readonly string[]>>;
  readonly states?: readonly StateUse[];
  readonly lengths?: string | readonly number[];
}

interface Sizes {
  time: number;
  batch: number;
}

const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);

/** Where each element of a tensor of ONNX lies in rows [time, batch, features]. */
function places(shape: readonly number[], words: readonly string[], sizes: Sizes): number[] {
  const { batch, time } = sizes;
  const features = product(shape.filter((_, k) => words[k] === 'features'));
  const count = product(shape);
  return Array.from({ length: count }, (_, index) => {
    let rest = index;
    const at = { time: 0, batch: 0, features: 0 };
    let stride = 1;
    for (let k = shape.length - 1; k >= 0; k--) {
      const here = rest % shape[k]!;
      rest = Math.floor(rest / shape[k]!);
      const word = words[k]!;
      if (word === 'features') {
        at.features += here * stride;
        stride *= shape[k]!;
      } else if (word === 'time' || word === 'batch') at[word] = here;
      else if (word === 'batch*time')
        Object.assign(at, { time: here % time, batch: Math.floor(here / time) });
      else if (word === 'time*batch')
        Object.assign(at, { batch: here % batch, time: Math.floor(here / batch) });
      else if (here !== 0) throw new Error(`an axis of ${shape[k]} is ${word}`);
    }
    return (at.time * batch + at.batch) * features + at.features;
  });
}

/** A tensor of ONNX as rows [time, batch, features]. */
function rowsOf({ shape, data }: OnnxArray, words: readonly string[], sizes: Sizes): Float32Array {
  const rows = new Float32Array(data.length);
  for (const [k, place] of places(shape, words, sizes).entries()) rows[place] = data[k]!;
  return rows;
}

const metadataOf = (model: Model): OnnxMetadata => model.metadata as unknown as OnnxMetadata;

function sizesOf(metadata: OnnxMetadata, inputs: readonly OnnxArray[]): Sizes {
  const sizes: Sizes = { time: 1, batch: 1 };
  for (const { shape, name } of inputs) {
    for (const [k, word] of (metadata.inputs[name] ?? []).entries()) {
      if (word === 'batch' || word === 'time') sizes[word] = shape[k]!;
    }
  }
  return sizes;
}

/** The state that a call begins with, out of the inputs that ONNX has for it. */
function stateOf(model: Model, inputs: readonly OnnxArray[], { batch, time }: Sizes): ModelState {
  const { states = [], inputs: words } = metadataOf(model);
  const made: Record<string, { h: Float32Array; c?: Float32Array }> = {};
  for (const { input, layer, state, from, to, step = 1 } of states) {
    const rows = rowsOf(
      inputs.find(({ name }) => name === input)!,
      words[input]!,
      { batch, time },
    );
    const spec = model.description.layers.find(({ name }) => name === layer);
    const { hiddenSize: H, type } = spec as unknown as { hiddenSize: number; type: string };
    const count = Math.ceil((to - from) / step);
    const zeros = (): Float32Array => new Float32Array(count * batch);
    made[layer] ??= { h: zeros(), ...(type === 'lstm' && { c: zeros() }) };
    const width = rows.length / batch;
    for (let b = 0; b < batch; b++) {
      for (let k = 0; k < count; k++) {
        const [d, unit] = [Math.floor(k / H), k % H];
        made[layer][state]![(d * batch + b) * H + unit] = rows[b * width + from + k * step]!;
      }
    }
  }
  return made;
}

/** Rows of all outputs on tensors as ONNX has them. */
export function runImported(
  model: Model,
  inputs: readonly OnnxArray[],
): Readonly<Record<string, Float32Array>> {
  const metadata = metadataOf(model);
  const sizes = sizesOf(metadata, inputs);
  const x: Record<string, Float32Array | Int32Array> = {};
  const steps: Record<string, number> = {};
  const { inputs: specs = [] } = model.description;
  const isOwn = (name: string): boolean =>
    specs.some((spec) => typeof spec !== 'string' && spec.stepsOf === name);
  const first = model.inputs.find(({ each }) => each === 'step')?.name;
  for (const { name, takesTokens } of model.inputs) {
    const given = inputs.find((input) => input.name === name)!;
    const words = metadata.inputs[name]!;
    const own = { ...sizes, time: given.shape[words.indexOf('time')] ?? 1 };
    const rows = rowsOf(given, words, own);
    x[name] = takesTokens ? Int32Array.from(rows) : rows;
    if (name === first || isOwn(name)) steps[name] = own.time;
  }
  const { lengths } = metadata;
  const valid =
    typeof lengths === 'string' ? inputs.find((i) => i.name === lengths)?.data : lengths;
  const { outputs } = model.forward(x, {
    steps: Object.keys(steps).length > 1 ? steps : (steps[first ?? ''] ?? 1),
    batch: sizes.batch,
    state: stateOf(model, inputs, sizes),
    ...(valid && { lengths: Int32Array.from(valid) }),
  });
  return outputs;
}

/** The largest difference, absolute and relative, from what ONNX gives. */
export function worstOf(
  model: Model,
  outputs: Readonly<Record<string, Float32Array>>,
  expected: readonly OnnxArray[],
  inputs: readonly OnnxArray[],
): number {
  const metadata = metadataOf(model);
  let worst = 0;
  for (const one of expected) {
    const words = metadata.outputs[one.name]!;
    const own = { ...sizesOf(metadata, inputs), time: one.shape[words.indexOf('time')] ?? 1 };
    const rows = rowsOf(one, words, own);
    const got = outputs[one.name]!;
    if (got.length !== rows.length) throw new Error(`${one.name}: ${got.length} of ${rows.length}`);
    for (const [k, x] of rows.entries()) {
      if (Object.is(x, got[k])) continue;
      const error = Math.abs(x - got[k]!) / (1 + Math.abs(x));
      worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
    }
  }
  return worst;
}
