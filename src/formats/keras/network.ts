/** Models of Keras, chains and graphs of layers, models among them. */
import { GatefoldError } from '../../base/errors.ts';
import type { RowActivation } from '../../ops/activations.ts';
import { complete } from '../../ops/description.ts';
import { opOf } from '../../ops/index.ts';
import type { LayerSpec } from '../../ops/index.ts';
import type { Version } from './activations.ts';
import { activationOf } from './activations.ts';
import { Builder, unsupported, widthOf } from './builder.ts';
import type { Dims, Flow } from './builder.ts';
import { damaged, isRecord, listOf, numberOf, own, quoted, recordOf, textOf } from './config.ts';
import type { Json } from './config.ts';
import { HANDLERS, once } from './layers.ts';
import type { Call, Outputs } from './layers.ts';
import { modern } from './older.ts';
import { Taker } from './weights.ts';
import type { Address, WeightStore } from './weights.ts';

/** Most layers, all uses of nested models counted, and levels of nested models. */
const MAX_USES = 8192;
const MAX_NESTED = 8;

/** Classes whose use alone tells whether they are read. */
const LATER: readonly string[] = ['TimeDistributed', 'TFOpLambda', 'SlicingOpLambda'];
const MODELS: readonly string[] = ['Sequential', 'Functional', 'Model'];

/** What a caller says of layers that only the file's author knows, by class or by name. */
export type OwnLayers = Readonly<Record<string, LayerSpec | string>>;

/** A layer of a configuration. */
interface Layer {
  readonly className: string;
  readonly name: string;
  readonly config: Json;
  readonly entry: Json;
  readonly address: Address;
}

/** A tensor: which of the outputs of which use of which layer. */
interface Reference {
  readonly layer: string;
  readonly use: number;
  readonly output: number;
}

/** What a layer is called with. */
interface Arguments {
  readonly inputs: readonly Reference[];
  readonly named: ReadonlyMap<string, readonly Reference[]>;
  readonly options: Json;
  readonly constants: readonly number[];
}

/** Names of classes as Keras 3 writes them in paths. */
function snake(className: string): string {
  return className
    .replaceAll(/\W+/g, '')
    .replaceAll(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** Operations of TensorFlow that stand for layers, in the graphs of Keras 2. */
const FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ['__operators__.add', 'Add'],
  ['math.add', 'Add'],
  ['math.subtract', 'Subtract'],
  ['math.multiply', 'Multiply'],
  ['math.truediv', 'TrueDivide'],
  ['math.maximum', 'Maximum'],
  ['math.minimum', 'Minimum'],
  ['math.not_equal', 'NotEqual'],
  ['math.reduce_any', 'Any'],
  ['__operators__.getitem', 'GetItem'],
]);

/** Reads the layers of a configuration into a builder. */
export class Network {
  readonly build: Builder = new Builder();
  readonly #version: Version;
  readonly #store: WeightStore;
  readonly #layers: OwnLayers;
  readonly #taken: (length: number) => void;
  /** Why layers cannot be read. */
  readonly #problems: string[] = [];
  readonly #takers = new Map<Json, () => Taker>();
  #uses = 0;

  constructor(
    version: Version,
    store: WeightStore,
    layers: OwnLayers,
    taken: (length: number) => void,
  ) {
    this.#version = version;
    this.#store = store;
    this.#layers = layers;
    this.#taken = taken;
  }

  /** Reads a whole model; gives the layers that are its outputs. */
  read(model: Json): string[] {
    const { className, name, config } = this.#modelOf(model);
    const root = { names: [], saved: '' };
    const layers = this.#layersOf(config, root, 0);
    this.#refuseUnknown(layers, 0);
    const inputs =
      className === 'Sequential'
        ? [this.#firstInput(config, layers)]
        : this.#inputsOf(config, layers);
    const outputs = this.#try(name, () =>
      this.#outputsOf(className, config, layers, inputs, '', 0, 0).map((output) => output()),
    );
    if (this.#problems.length || !outputs) this.#refuse();
    return outputs.map((flow) => this.#named(flow));
  }

  #refuse(): never {
    const [first = '', ...others] = new Set(this.#problems);
    const list = others.length ? `: ${[first, ...others].join('; ')}` : `: ${first}`;
    throw new GatefoldError('ERR_UNSUPPORTED', `the model has what is not read yet${list}`);
  }

  /** A layer whose output is that of the model. */
  #named(given: Flow): string {
    const { build } = this;
    const flow = build.read(given, 'the output');
    // The outputs of a model are layers: neither inputs nor parts of others.
    const isLayer = build.layers.some(({ name }) => name === flow.source);
    const made = build.hold(flow, Math.min(flow.held, 1), 'the output');
    if (made !== flow || isLayer) return made.source;
    const options = { type: 'activation', activation: 'identity' };
    return build.add(`${flow.source}/output`, options, [flow], flow).source;
  }

  /** Runs what may find something that is not supported, which joins the list of those. */
  #try<T>(_: string, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof GatefoldError) || error.code !== 'ERR_UNSUPPORTED') throw error;
      if (error !== AFTER) this.#problems.push(error.message);
      return undefined;
    }
  }

  #modelOf(entry: Json): { className: string; name: string; config: Json } {
    const className = textOf(entry, 'class_name') ?? 'no class';
    const list = own(entry, 'config');
    // Sequential had a list of layers in place of a configuration.
    const config = Array.isArray(list) ? { layers: list as unknown } : recordOf(entry, 'config');
    const name = textOf(config, 'name') ?? className;
    if (!MODELS.includes(className) || !Array.isArray(own(config, 'layers'))) {
      const message = `the model is of the class ${quoted(className)}, whose layers the file does not say; build it as Sequential or Functional, or give { description }`;
      throw new GatefoldError('ERR_UNSUPPORTED', message);
    }
    return { className, name, config };
  }

  /** The layers of a model, with where their arrays are. */
  #layersOf(config: Json, { names, saved }: Address, depth: number): Layer[] {
    if (depth > MAX_NESTED) damaged(`models are nested more than ${MAX_NESTED} deep`);
    const counts = new Map<string, number>();
    return listOf(config, 'layers').map((value) => {
      const entry = isRecord(value) ? value : damaged('a layer is no object');
      const { className, config: own_, written } = modern(entry, this.#version);
      const name = textOf(entry, 'name') ?? textOf(own_, 'name') ?? snake(className);
      const path = snake(written);
      const count = counts.get(path) ?? 0;
      counts.set(path, count + 1);
      const part = `${saved}${saved && '/'}layers/${path}${count ? `_${count}` : ''}`;
      const address = { names: [...names, name], saved: part };
      return { className, name, config: own_, entry, address };
    });
  }

  /** Names all classes and activations that are not known, before anything else is looked at. */
  #refuseUnknown(layers: readonly Layer[], depth: number): void {
    for (const layer of layers) {
      const { className, name, config, address } = layer;
      if (++this.#uses > MAX_USES) damaged(`it has more than ${MAX_USES} layers`);
      if (this.#ownOf(layer) !== undefined) continue;
      if (MODELS.includes(className)) {
        this.#refuseUnknown(this.#layersOf(config, address, depth + 1), depth + 1);
        continue;
      }
      if (LATER.includes(className)) continue;
      if (!HANDLERS.has(className)) this.#problems.push(unknownClass(className, name));
      else if ((own(config, 'activation') ?? null) !== null) {
        this.#try(name, () =>
          activationOf(config, 'activation', 'linear', this.#version, name, this.#activation),
        );
      }
    }
    if (depth === 0) this.#uses = 0;
  }

  readonly #activation = (name: string): RowActivation | undefined => {
    const spec = own(this.#layers, name);
    return textOf(spec, 'type') === 'activation'
      ? (own(spec, 'activation') as RowActivation)
      : undefined;
  };

  /** What the caller says of a layer: a layer in its place, or the class that it is one of. */
  #ownOf({ className, name }: Layer): unknown {
    return own(this.#layers, name) ?? own(this.#layers, className);
  }

  /** The input of a chain of layers. */
  #firstInput(config: Json, layers: readonly Layer[]): Flow {
    const [first] = layers;
    if (!first) damaged('the model has no layers');
    const dims =
      shapeOf(first) ??
      dimsOf(own(config, 'build_input_shape')) ??
      dimsOf(own(recordOf(first.entry, 'build_config'), 'input_shape')) ??
      this.#guess(layers);
    return this.build.input('input', dims);
  }

  /** What the arrays of the first layer say of a model that was saved without an input shape. */
  #guess(layers: readonly Layer[]): Dims {
    const first = layers.find(({ className }) => className !== 'InputLayer');
    const isSequence = layers.some(({ className }) =>
      /^(?:LSTM|GRU|SimpleRNN|RNN|Bidirectional|Conv1D)$/.test(className),
    );
    if (first?.className === 'Embedding') return [undefined];
    const weights = first && this.#store.of(first.address);
    const inner =
      first?.className === 'Bidirectional' ? weights?.within('forward_layer', []) : weights;
    const part = first?.className === 'Dense' || first?.className === 'Conv1D' ? '' : 'cell';
    const size = inner?.next(part, 'kernel')?.shape.at(-2);
    if (size === undefined) {
      unsupported(
        first?.name ?? 'the model',
        'the file says no input shape: build the model before it is saved',
      );
    }
    return isSequence ? [undefined, size] : [size];
  }

  #inputsOf(config: Json, layers: readonly Layer[]): Flow[] {
    const byName = new Map(layers.map((layer) => [layer.name, layer]));
    return references(own(config, 'input_layers')).map(({ layer: name }) => {
      const layer = byName.get(name) ?? damaged(`it has no input ${quoted(name)}`);
      const dims = shapeOf(layer) ?? damaged(`its input ${quoted(name)} says no shape`);
      return this.build.input(name, dims);
    });
  }

  #outputsOf(
    className: string,
    config: Json,
    layers: readonly Layer[],
    inputs: readonly Flow[],
    prefix: string,
    lead: number,
    depth: number,
  ): Outputs {
    if (className === 'Sequential') {
      let flows: readonly Flow[] = inputs;
      let outputs: Outputs = inputs.map((flow) => () => flow);
      for (const layer of layers) {
        const nothing = { named: new Map(), options: {}, constants: [] };
        outputs = this.#call(layer, { ...nothing, inputs: flows }, prefix, lead, depth);
        flows = [outputs[0]!()];
      }
      return outputs;
    }
    return this.#graph(config, layers, inputs, prefix, lead, depth);
  }

  /** A graph: every use of a layer once all that it reads is there. */
  #graph(
    config: Json,
    layers: readonly Layer[],
    inputs: readonly Flow[],
    prefix: string,
    lead: number,
    depth: number,
  ): Outputs {
    const uses = new Map<string, { layer: Layer; given: Arguments }>();
    const made = new Map<string, Outputs | undefined>();
    const keyOf = ({ layer, use }: Reference): string => `${use} ${layer}`;
    for (const layer of layers) {
      listOf(layer.entry, 'inbound_nodes').forEach((node, use) => {
        const given = argumentsOf(node);
        uses.set(keyOf({ layer: layer.name, use, output: 0 }), { layer, given });
      });
    }
    references(own(config, 'input_layers')).forEach((reference, k) => {
      const flow = inputs[k] ?? damaged('a model is called with too few tensors');
      made.set(keyOf(reference), [() => flow]);
    });
    const ends = references(own(config, 'output_layers'));
    if (!ends.length) damaged('the model has no outputs');
    // Depth first, without recursion: a use stays on the stack until what it reads has been made.
    const stack = ends.map(keyOf).reverse();
    const open = new Set<string>();
    for (let key = stack.at(-1); key !== undefined; key = stack.at(-1)) {
      const use = uses.get(key);
      if (made.has(key)) {
        stack.pop();
        continue;
      }
      if (!use)
        damaged(`a layer reads ${quoted(key.slice(key.indexOf(' ') + 1))}, which it has not`);
      const { given, layer } = use;
      const all = [...given.inputs, ...[...given.named.values()].flat()];
      const missing = all.map(keyOf).filter((other) => !made.has(other));
      if (missing.length) {
        if (open.has(key)) damaged(`the layer ${quoted(layer.name)} reads itself`);
        open.add(key);
        stack.push(...missing.reverse());
        continue;
      }
      stack.pop();
      made.set(
        key,
        this.#try(layer.name, () => {
          const flowOf = (reference: Reference): Flow =>
            this.#pick(made.get(keyOf(reference)), reference);
          const named = new Map([...given.named].map(([name, list]) => [name, list.map(flowOf)]));
          const called = { ...given, inputs: given.inputs.map(flowOf), named };
          return this.#call(layer, called, prefix, lead, depth);
        }),
      );
    }
    return ends.map((reference) => once(() => this.#pick(made.get(keyOf(reference)), reference)));
  }

  #pick(outputs: Outputs | undefined, { layer, output }: Reference): Flow {
    if (!outputs) throw AFTER;
    const make = outputs[output] ?? damaged(`the layer ${quoted(layer)} has no output ${output}`);
    return make();
  }

  /** One use of a layer. */
  #call(
    layer: Layer,
    given: Pick<Call, 'inputs' | 'named' | 'options' | 'constants'>,
    prefix: string,
    lead: number,
    depth: number,
  ): Outputs {
    if (++this.#uses > MAX_USES) damaged(`it has more than ${MAX_USES} layers`);
    const { className, config, entry, address } = layer;
    const name = prefix + layer.name;
    const own_ = this.#ownOf(layer);
    if (isRecord(own_)) return [once(() => this.#replaced(own_, given.inputs, name))];
    const kind = typeof own_ === 'string' ? own_ : className;
    if (MODELS.includes(kind)) {
      const layers = this.#layersOf(config, address, depth + 1);
      return this.#outputsOf(kind, config, layers, given.inputs, `${name}/`, lead, depth + 1);
    }
    if (kind === 'TimeDistributed') return this.#timeDistributed(layer, given, prefix, lead, depth);
    const tensorflow = kind === 'TFOpLambda' || kind === 'SlicingOpLambda';
    const stands = tensorflow ? FUNCTIONS.get(textOf(config, 'function') ?? '') : kind;
    const handler = HANDLERS.get(stands ?? '');
    if (!handler) {
      unsupported(name, unknownClass(tensorflow ? (textOf(config, 'function') ?? kind) : kind));
    }
    const made = handler({
      ...given,
      className: stands!,
      name,
      config: tensorflow ? {} : config,
      lead,
      taker: this.#takerOf(entry, name, address),
      build: this.build,
      version: this.#version,
      activation: this.#activation,
    });
    return Array.isArray(made) ? (made as Outputs) : [() => made as Flow];
  }

  #timeDistributed(
    layer: Layer,
    given: Pick<Call, 'inputs' | 'named' | 'options' | 'constants'>,
    prefix: string,
    lead: number,
    depth: number,
  ): Outputs {
    const { config, address } = layer;
    const name = prefix + layer.name;
    if (lead) unsupported(name, 'TimeDistributed within TimeDistributed is not supported');
    const entry = recordOf(config, 'layer');
    const inner: Layer = {
      ...modern(entry, this.#version),
      name: layer.name,
      entry,
      address: { names: address.names, saved: `${address.saved}/layer` },
    };
    return this.#call(inner, given, prefix, 1, depth);
  }

  /** A fresh taker of the same arrays for each use of a layer. */
  #takerOf(entry: Json, name: string, address: Address): Taker {
    let make = this.#takers.get(entry);
    if (!make) {
      make = () => new Taker(name, this.#store.of(address), this.#taken);
      this.#takers.set(entry, make);
    }
    return make();
  }

  /** What the caller has given in the place of a layer. */
  #replaced(spec: Json, inputs: readonly Flow[], name: string): Flow {
    const { build } = this;
    const [flow, ...others] = inputs.map((input) => build.rows(input, name));
    if (!flow) unsupported(name, 'reads nothing');
    const width = widthOf(flow, name);
    const { type, ...options } = spec as { type?: unknown };
    const steps = flow.dims[flow.held - 1];
    const read = ['input', ...others.map((_, k) => `input${k}`)];
    const [layer] = complete({
      inputs: [
        { name: 'input', size: width, ...(steps && flow.held ? { steps } : {}) },
        ...others.map((other, k) => ({ name: `input${k}`, size: widthOf(other, name) })),
      ],
      layers: [{ ...spec, inputs: read } as unknown as LayerSpec],
    }).layers;
    const op = opOf(layer!);
    const { outputs, resample = [] } = op.sizes(layer!);
    let dims: Dims = flow.dims.slice(0, -1);
    for (const change of resample) {
      const count = dims.at(-1);
      dims = dims.slice(0, -1);
      if (!change.pools) dims = [...dims, count && change.steps(count)];
    }
    const made = { type: String(type), ...options };
    const all = [flow, ...others];
    return build.add(name, made, all, { dims: [...dims, outputs], held: dims.length });
  }
}

/** Stands for a layer that reads one of the layers that cannot be read. */
const AFTER: GatefoldError = new GatefoldError('ERR_UNSUPPORTED', 'a layer before it is not read');

function unknownClass(className: string, name?: string): string {
  const at = name === undefined ? '' : `${quoted(name)}: `;
  const fix = `{ layers: { ${className}: spec } } puts a layer in its place`;
  return `${at}the class ${quoted(className)} is not supported; ${fix}`;
}

/** The shape of an input as a layer says it, without the batch. */
function shapeOf({ className, config }: Layer): Dims | undefined {
  const given = dimsOf(own(config, 'batch_input_shape')) ?? dimsOf(own(config, 'batch_shape'));
  if (given) return given;
  // Keras 1.
  const [features, length] = [numberOf(config, 'input_dim'), numberOf(config, 'input_length')];
  if (className === 'Embedding') return length === undefined ? undefined : [length];
  if (features === undefined) return undefined;
  const isRow = className === 'Dense' || className === 'Activation';
  return isRow ? [features] : [length, features];
}

function dimsOf(value: unknown): Dims | undefined {
  // Newer files say tuples as objects.
  const list = isRecord(value) ? own(value, 'items') : value;
  if (!Array.isArray(list) || list.length < 1) return undefined;
  const dims = (list as unknown[]).slice(1);
  const isSize = (size: unknown): boolean =>
    size === null || (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0);
  if (!dims.every(isSize)) return undefined;
  return dims.map((size) => (typeof size === 'number' ? size : undefined));
}

/** A tensor as Keras 2 writes it: [layer, use, output, ...]. */
function referenceOf(value: unknown): Reference | undefined {
  if (!Array.isArray(value)) return undefined;
  const [layer, use, output] = value as unknown[];
  if (typeof layer !== 'string' || layer === '_CONSTANT_VALUE') return undefined;
  if (!Number.isSafeInteger(use) || !Number.isSafeInteger(output)) return undefined;
  return { layer, use: use as number, output: output as number };
}

/** The same of Keras 3. */
function tensorOf(value: unknown): Reference | undefined {
  if (textOf(value, 'class_name') !== '__keras_tensor__') return undefined;
  return referenceOf(own(recordOf(value, 'config'), 'keras_history'));
}

/** All tensors within lists and objects, in their order. */
function references(value: unknown, depth = 0): Reference[] {
  const one = referenceOf(value) ?? tensorOf(value);
  if (one) return [one];
  if (depth > 4 || typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap((each) => references(each, depth + 1));
}

/** What one use of a layer is called with. */
function argumentsOf(node: unknown): Arguments {
  const named = new Map<string, Reference[]>();
  const options: Record<string, unknown> = Object.create(null);
  const constants: number[] = [];
  const byName = (values: unknown): void => {
    if (!isRecord(values)) return;
    for (const [key, value] of Object.entries(values)) {
      const tensors = references(value);
      if (tensors.length) named.set(key, tensors);
      else options[key] = value;
      if (key === 'y' && typeof value === 'number') constants.push(value);
    }
  };
  if (isRecord(node) && own(node, 'args') !== undefined) {
    const given = listOf(node, 'args');
    const inputs = references(given);
    constants.push(...given.filter((value) => typeof value === 'number'));
    const [key] = given.filter((value) => Array.isArray(value) && !references(value).length);
    if (key !== undefined) options['key'] = key;
    byName(own(node, 'kwargs'));
    return {
      inputs: [...inputs, ...take(named, 'inputs'), ...take(named, 'sequence')],
      named,
      options,
      constants,
    };
  }
  const lists = referenceOf(node) ? [node] : isRecord(node) ? Object.values(node) : node;
  const inputs = references(lists);
  for (const one of Array.isArray(lists) ? (lists as unknown[]) : []) {
    if (referenceOf(one)) byName((one as unknown[])[3]);
  }
  return { inputs: [...inputs, ...take(named, 'y')], named, options, constants };
}

function take(named: Map<string, Reference[]>, key: string): Reference[] {
  const found = named.get(key) ?? [];
  named.delete(key);
  return found;
}
