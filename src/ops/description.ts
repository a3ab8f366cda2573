import { checkChoice, checkInteger, checkKeys, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { INPUT, OPS } from './index.ts';
import type { CompleteLayer, LayerSpec, ModelDescription } from './index.ts';
import type { Context } from './op.ts';
import { MAX_WIDTH, readTable } from './options.ts';
import { MAX_LAYERS } from './recurrent/options.ts';

/** Longest name of a layer, which every name of its parameters repeats. */
const MAX_NAME = 256;

/**
 * Checks a description and fills in its defaults: sizes from the layer before, names from the
 * types.
 */
export function complete(description: ModelDescription): readonly CompleteLayer[] {
  checkKeys('description', description, ['layers', 'weights']);
  checkChoice('description.weights', description.weights ?? 'float32', ['float32', 'int8']);
  const { layers } = description;
  if (!Array.isArray(layers) || layers.length === 0) {
    throw new GatefoldError(
      'ERR_ARGUMENT',
      '"description.layers" expected a list of at least one layer',
    );
  }
  checkInteger('description.layers.length', layers.length, 1, MAX_LAYERS);
  const names = new Names();
  const done: CompleteLayer[] = [];
  /** Outputs of every layer so far, and of the inputs of the model once a layer has said. */
  const widths = new Map<string, number | undefined>([[INPUT, undefined]]);
  let takesTokens: boolean | undefined;
  let count = 0;
  for (const [index, layer] of (layers as LayerSpec[]).entries()) {
    const at = `layers[${index}]`;
    const type = checkChoice(`${at}.type`, layer?.type, [...OPS.keys()]);
    const op = OPS.get(type)!;
    checkKeys(at, layer, ['type', 'name', 'inputs', ...Object.keys(op.options)]);
    const before = done.at(-1)?.name ?? INPUT;
    const reads = readsOf(layer, at, before, op.isJoin === true, widths);
    const name = names.of(layer, at);
    const of = reads.map((source) => widths.get(source));
    const readsInputs = reads.includes(INPUT);
    const context = { at, name, before: of[0], widths: of, readsInputs, layers: done };
    const given = layer.inputs === undefined ? undefined : Object.freeze(reads);
    const filled = completeLayer(layer, given, context);
    const { inputs, each, outputs, count: own = 1, tokens = false } = op.sizes(filled);
    if (readsInputs) {
      if (takesTokens === !tokens) {
        throw new GatefoldError(
          'ERR_ARGUMENT',
          `"${at}" reads the inputs of the model, which are ${tokens ? 'numbers' : 'tokens'} for another layer: only embeddings read tokens`,
        );
      }
      takesTokens = tokens;
      widths.set(INPUT, each ? each[reads.indexOf(INPUT)] : inputs);
    }
    count += own;
    if (count > MAX_LAYERS) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"description" has more than ${MAX_LAYERS} layers and sub-layers, both directions counted: describe fewer`,
      );
    }
    widths.set(name, outputs);
    done.push(Object.freeze(filled));
  }
  return done;
}

/** The layers that a layer reads: those that it names, or the one before it. */
function readsOf(
  { inputs, type }: LayerSpec,
  at: string,
  before: string,
  isJoin: boolean,
  known: ReadonlyMap<string, unknown>,
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
    if (known.has(name)) continue;
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${at}.inputs[${k}]" expected '${INPUT}' or the name of a layer before it, got ${show(name)}`,
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

/** The names of the layers so far. */
class Names {
  readonly #taken = new Set<string>([INPUT]);
  /** The number that the last unnamed layer of each type got: no lower one is free. */
  readonly #numbers = new Map<string, number>();

  /** The name of a layer, or an error where another layer has it. */
  of(layer: LayerSpec, at: string): string {
    const name: unknown = layer.name ?? this.#free(layer.type);
    if (typeof name === 'string' && isName(name) && !this.#taken.has(name)) {
      this.#taken.add(name);
      return name;
    }
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${at}.name" expected a name of at most ${MAX_NAME} characters that no other layer has, and not 'input', got ${show(name)}`,
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
