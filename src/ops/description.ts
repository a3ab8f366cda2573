import { checkChoice, checkInteger, checkKeys, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { OPS } from './index.ts';
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
  let count = 0;
  let before: number | undefined;
  for (const [index, layer] of (layers as LayerSpec[]).entries()) {
    const at = `layers[${index}]`;
    const type = checkChoice(`${at}.type`, layer?.type, [...OPS.keys()]);
    const op = OPS.get(type)!;
    checkKeys(at, layer, ['type', 'name', ...Object.keys(op.options)]);
    const name = names.of(layer, at);
    const context: Context = { at, index, name, before, layers: done };
    const filled = completeLayer(layer, context);
    const { outputs, count: own = 1 } = op.sizes(filled);
    count += own;
    if (count > MAX_LAYERS) {
      throw new GatefoldError(
        'ERR_ARGUMENT',
        `"description" has more than ${MAX_LAYERS} layers and sub-layers, both directions counted: describe fewer`,
      );
    }
    before = outputs;
    done.push(Object.freeze(filled));
  }
  return done;
}

function completeLayer(given: LayerSpec, context: Context): CompleteLayer {
  const { at, name, before } = context;
  const op = OPS.get(given.type)!;
  const spec = op.prepare?.(given, context) ?? given;
  const inputs = (key: string, value: unknown): number => {
    if (value === undefined && before === undefined) {
      throw new GatefoldError('ERR_ARGUMENT', `"${at}.${key}" is needed in the first layer`);
    }
    const size = checkInteger(`${at}.${key}`, value ?? before, 1, MAX_WIDTH);
    if (before === undefined || size === before) return size;
    throw new GatefoldError(
      'ERR_SHAPE',
      `"${at}.${key}" expected ${before}, the output of the layer before, got ${size}`,
    );
  };
  const options = readTable(op.options, spec, at, inputs);
  const filled = { type: given.type, name, ...options } as unknown as LayerSpec;
  return op.complete(filled, context);
}

/** The names of the layers so far. */
class Names {
  readonly #taken = new Set<string>();
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
      `"${at}.name" expected a name of at most ${MAX_NAME} characters that no other layer has, got ${show(name)}`,
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
