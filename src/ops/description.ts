import { checkChoice, checkInteger, checkKeys, readOptions, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { IMPORTS, INPUT, OPS } from './index.ts';
import type { CompleteLayer, InputSpec, LayerSpec, ModelDescription } from './index.ts';
import type { Context, Resample, Shape, Sizes } from './op.ts';
import { MAX_WIDTH, readTable } from './options.ts';
import { POOLING } from './pool.ts';
import { MAX_LAYERS } from './recurrent/options.ts';

/** Longest name of a layer, which every name of its parameters repeats. */
const MAX_NAME = 256;

/** Most steps that a description may fix. */
const MAX_STEPS = 2 ** 24;

/** A description with every default filled in. */
export interface CompleteDescription {
  readonly layers: readonly CompleteLayer[];
  readonly inputs: readonly InputSpec[];
  /** Names of layers. */
  readonly outputs: readonly string[];
  readonly steps?: number;
}

/**
 * Checks a description and fills in its defaults: sizes from the layer before, names from the
 * types.
 *
 * @param visit sees each layer that is filled in, and may fill in another in its place.
 */
export function complete(
  description: ModelDescription,
  visit?: (layer: CompleteLayer, completeOther: (spec: LayerSpec) => CompleteLayer) => void,
): CompleteDescription {
  const keys = ['layers', 'inputs', 'outputs', 'steps', 'weights', 'inputWeights'];
  checkKeys('description', description, keys);
  const { weights = 'float32', inputWeights = weights } = description;
  checkChoice('description.weights', weights, ['float32', 'int8']);
  checkChoice('description.inputWeights', inputWeights, [...new Set(['float32', weights])]);
  const { layers, steps } = description;
  checkList('description.layers', layers, 'at least one layer');
  if (steps !== undefined) checkInteger('description.steps', steps, 1, MAX_STEPS);
  const inputs = completeInputs(description.inputs ?? [INPUT]);
  const names = new Names(inputs.map(({ name }) => name));
  const shapes = new Shapes(inputs, steps);
  const takesTokens = new Map<string, boolean>();
  const done: CompleteLayer[] = [];
  let count = 0;
  for (const [index, layer] of (layers as LayerSpec[]).entries()) {
    const at = `layers[${index}]`;
    const missing = OPS.has(layer?.type) ? undefined : IMPORTS[layer?.type];
    if (missing !== undefined) {
      const message = `"${at}.type" is '${layer.type}', which this program has not loaded: import '${missing}' first`;
      throw new GatefoldError('ERR_UNSUPPORTED', message);
    }
    const type = checkChoice(`${at}.type`, layer?.type, [...OPS.keys()]);
    const op = OPS.get(type)!;
    checkKeys(at, layer, ['type', 'name', 'inputs', ...Object.keys(op.options)]);
    const before = done.at(-1)?.name ?? inputs[0]!.name;
    const reads = readsOf(layer, at, before, op.isJoin === true, shapes);
    const name = names.of(layer, at);
    const widths = reads.map((source) => shapes.of(source)!.features);
    const context: Context = {
      at,
      name,
      before: widths[0],
      widths,
      readsInputs: reads.some((source) => shapes.isInput(source)),
      layers: done,
      reads: shapes.of(reads[0]!)!,
      shapeOf: (source) => shapes.of(source),
    };
    const given = layer.inputs === undefined ? undefined : Object.freeze(reads);
    const filled = completeLayer(layer, given, context);
    visit?.(filled, (other) => completeLayer(other, given, context));
    const sizes = op.sizes(filled);
    const { tokens = false } = sizes;
    for (const [k, source] of reads.entries()) {
      if (!shapes.isInput(source)) continue;
      if (takesTokens.get(source) === !tokens) {
        throw new GatefoldError(
          'ERR_ARGUMENT',
          `"${at}" reads the inputs of the model, which are ${tokens ? 'numbers' : 'tokens'} for another layer: only embeddings read tokens`,
        );
      }
      takesTokens.set(source, tokens);
      shapes.know(source, sizes.each ? sizes.each[k]! : sizes.inputs);
    }
    count += sizes.count ?? 1;
    if (count > MAX_LAYERS) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"description" has more than ${MAX_LAYERS} layers and sub-layers, both directions counted: describe fewer`,
      );
    }
    shapes.add(name, context.reads, sizes);
    done.push(Object.freeze(filled));
  }
  const outputs = completeOutputs(description.outputs, done);
  for (const name of outputs) {
    if (!shapes.of(name)!.outer) continue;
    const message = `the output "${name}" has steps within a step: close them by a pool or a flatten`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  }
  return { layers: done, inputs, outputs, ...(steps !== undefined && { steps }) };
}

function checkList(name: string, list: unknown, of: string): asserts list is readonly unknown[] {
  if (!Array.isArray(list) || list.length === 0) {
    throw new GatefoldError('ERR_ARGUMENT', `"${name}" expected a list of ${of}`);
  }
  checkInteger(`${name}.length`, list.length, 1, MAX_LAYERS);
}

/** The inputs of a model: names, or what is special of each. */
function completeInputs(given: readonly (string | InputSpec)[]): InputSpec[] {
  checkList('description.inputs', given, 'names of inputs');
  const known = new Names([]);
  const sequences = new Set<string>();
  return given.map((input, k) => {
    const at = `description.inputs[${k}]`;
    const spec = typeof input === 'string' ? { name: input } : input;
    const keys = ['name', 'size', 'each', 'stepsOf', 'steps'] as const;
    const { name, size, each, stepsOf, steps } = readOptions(at, spec, keys);
    known.take(name, at);
    if (size !== undefined) checkInteger(`${at}.size`, size, 1, MAX_WIDTH);
    if (each !== undefined) checkChoice(`${at}.each`, each, ['step', 'sequence']);
    if (steps !== undefined) checkInteger(`${at}.steps`, steps, 1, MAX_STEPS);
    if (each === 'sequence') return Object.freeze({ ...spec });
    if (stepsOf === undefined || stepsOf === name) sequences.add(name);
    else if (!sequences.has(stepsOf)) {
      const wanted = [...sequences, name].map((other) => show(other)).join(' or ');
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"${at}.stepsOf" expected ${wanted}, got ${show(stepsOf)}`,
      );
    }
    return Object.freeze({ ...spec });
  });
}

/** The layers whose outputs are those of the model: the last one unless some are named. */
function completeOutputs(
  given: readonly string[] | undefined,
  layers: readonly CompleteLayer[],
): readonly string[] {
  if (given === undefined) return [layers.at(-1)!.name];
  checkList('description.outputs', given, 'names of layers');
  for (const [k, name] of given.entries()) {
    if (given.indexOf(name) === k && layers.some((layer) => layer.name === name)) continue;
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"description.outputs[${k}]" expected the name of a layer, each once, got ${show(name)}`,
    );
  }
  return Object.freeze([...given]);
}

/** What is known of the inputs of a model and of the outputs of its layers so far. */
class Shapes {
  readonly #inputs = new Map<string, Shape>();
  readonly #outputs = new Map<string, Shape>();
  readonly #parts = new Map<string, Shape>();

  constructor(inputs: readonly InputSpec[], all: number | undefined) {
    for (const { name, size: features, each, steps = all } of inputs) {
      this.#inputs.set(name, { features, steps, isRow: each === 'sequence' });
    }
  }

  isInput(name: string): boolean {
    return this.#inputs.has(name);
  }

  /** Of an input, a layer or a part. */
  of(name: string): Shape | undefined {
    return this.#inputs.get(name) ?? this.#outputs.get(name) ?? this.#parts.get(name);
  }

  get names(): string[] {
    return [...this.#inputs.keys()];
  }

  /** Learns the features of an input from a layer that reads it. */
  know(name: string, features: number): void {
    this.#inputs.set(name, { ...this.#inputs.get(name)!, features });
  }

  /** Adds what a layer makes of what it reads. */
  add(name: string, reads: Shape, { outputs, resample = [], parts = {} }: Sizes): void {
    const made = { ...resample.reduce(after, reads), features: outputs };
    this.#outputs.set(name, made);
    for (const [part, { outputs: features, isRow }] of Object.entries(parts)) {
      const rows = isRow ? after(reads, POOLING) : made;
      this.#parts.set(`${name}.${part}`, { ...rows, features });
    }
  }
}

/** The rows that follow from others. */
function after(reads: Shape, resample: Resample): Shape {
  const { features, steps, outer, isRow } = reads;
  if (resample.pools) return outer ?? { features, steps: undefined, isRow: true };
  if (!resample.spreads) return { ...reads, steps: steps && resample.steps(steps) };
  const own = { features, steps: resample.steps(1), isRow: false };
  return isRow ? own : { ...own, outer: reads };
}

/** The layers that a layer reads: those that it names, or the one before it. */
function readsOf(
  { inputs, type }: LayerSpec,
  at: string,
  before: string,
  isJoin: boolean,
  known: Shapes,
): readonly string[] {
  if (inputs === undefined) return [before];
  if (!Array.isArray(inputs) || inputs.length === 0 || inputs.length > MAX_LAYERS) {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${at}.inputs" expected a list of names of layers, got ${show(inputs)}`,
    );
  }
  if (inputs.length > 1 && !isJoin) {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${at}.inputs" names ${inputs.length} layers, but a ${type} layer reads one: join them first, e.g. by a layer { type: 'concat', inputs }`,
    );
  }
  for (const [k, name] of inputs.entries()) {
    if (typeof name === 'string' && known.of(name)) continue;
    const wanted = known.names.map((input) => show(input)).join(', ');
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${at}.inputs[${k}]" expected ${wanted} or the name of a layer before it, got ${show(name)}`,
    );
  }
  return [...inputs];
}

function completeLayer(
  given: LayerSpec,
  reads: readonly string[] | undefined,
  context: Context,
): CompleteLayer {
  const { at, name, before } = context;
  const op = OPS.get(given.type)!;
  const spec = op.prepare?.(given, context) ?? given;
  const inputs = (key: string, value: unknown): number => {
    if (value === undefined && before === undefined) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"${at}.${key}" is needed in the first layer that reads the inputs of the model`,
      );
    }
    const size = checkInteger(`${at}.${key}`, value ?? before, 1, MAX_WIDTH);
    if (before === undefined || size === before) return size;
    throw new GatefoldError(
      'ERR_SHAPE',
      `"${at}.${key}" expected ${before}, the output of the layer before, got ${size}`,
    );
  };
  const options = readTable(op.options, spec, at, inputs);
  const filled = { type: given.type, name, ...(reads && { inputs: reads }), ...options };
  return op.complete(filled as unknown as LayerSpec, context);
}

/** The names of the inputs and of the layers so far. */
class Names {
  readonly #taken: Set<string>;
  /** The number that the last unnamed layer of each type got: no lower one is free. */
  readonly #numbers = new Map<string, number>();

  constructor(inputs: readonly string[]) {
    this.#taken = new Set(inputs);
  }

  /** The name of a layer, or an error where another layer has it. */
  of(layer: LayerSpec, at: string): string {
    return this.take(layer.name ?? this.#free(layer.type), at);
  }

  /** A name that nothing else has. */
  take(name: unknown, at: string): string {
    if (typeof name === 'string' && isName(name) && !this.#taken.has(name)) {
      this.#taken.add(name);
      return name;
    }
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${at}.name" expected a name of at most ${MAX_NAME} characters that no other layer or input has, got ${show(name)}`,
    );
  }

  #free(type: string): string {
    for (let number = this.#numbers.get(type) ?? 1; ; number++) {
      const name = number === 1 ? type : type + number;
      if (this.#taken.has(name)) continue;
      this.#numbers.set(type, number);
      return name;
    }
  }
}

/** Whether files and objects can have it as a key. */
function isName(name: string): boolean {
  const isKey = name !== '' && name !== '__proto__' && !/\p{Surrogate}/u.test(name);
  return isKey && name.length <= MAX_NAME;
}
