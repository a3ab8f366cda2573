/** A description layer by layer, and what flows between the layers. */
import { GatefoldError } from '../../base/errors.ts';
import type { StateDict } from '../../base/tensor.ts';
import type { InputSpec, LayerSpec, ModelDescription } from '../../ops/index.ts';
import { quoted } from './config.ts';
import { LOADERS } from './parameters.ts';
import type { Parameter, SizedLayer } from './parameters.ts';
import type { Taker } from './weights.ts';

/** Sizes of a tensor of Keras without its batch; `undefined` where any may be given. */
export type Dims = readonly (number | undefined)[];

/** A tensor of Keras, and how gatefold holds its numbers. */
export interface Flow {
  /** The layer, part of a layer or input that gives it. */
  readonly source: string;
  readonly dims: Dims;
  /** How many of the first dimensions are steps; all others are features, side by side. */
  readonly held: number;
  /** Whether some steps may be masked. */
  readonly masked: boolean;
  /** Makes one feature of every step: 1 where it is there, 0 where it is masked. */
  readonly present?: (() => Flow) | undefined;
  /** The input whose steps these follow; none of rows, or of steps that a layer has made. */
  readonly sequence?: ModelInput;
  /** Of what no layer has read yet: tokens or numbers, by what will read it. */
  readonly input?: ModelInput;
  /** Whether it is no tensor but the mask of one. */
  readonly isMask?: boolean;
  /** Zeros that a convolution is to add in front and behind. */
  readonly pad?: readonly [number, number];
}

/** An input of the model. */
export class ModelInput {
  readonly name: string;
  readonly dims: Dims;
  kind: 'tokens' | 'row' | 'steps' | undefined;
  /** Whether some layer needs to know how many steps there are. */
  isFixed = false;
  /** An input of the same steps. */
  #like: ModelInput | undefined;

  constructor(name: string, dims: Dims) {
    this.name = name;
    this.dims = dims;
  }

  /** The first one of those that have the same steps. */
  get first(): ModelInput {
    return this.#like ? (this.#like = this.#like.first) : this;
  }

  /** Gives another input the same steps. */
  join(other: ModelInput): void {
    const [a, b] = [this.first, other.first];
    if (a !== b) b.#like = a;
  }
}

/** Why a layer cannot be read, as a part of a list of such reasons. */
export function unsupported(at: string, problem: string): never {
  throw new GatefoldError('ERR_UNSUPPORTED', `${quoted(at)}: ${problem}`);
}

/** Numbers of one row of what is not held as steps. */
export function widthOf({ dims, held }: Flow, at: string): number {
  let width = 1;
  for (const size of dims.slice(held)) {
    if (size === undefined) unsupported(at, 'needs an input shape that says its sizes');
    width *= size;
  }
  return width;
}

/** What layers call the size of what they read: others, such as Masking, do not say it. */
const SIZES = ['inputSize', 'inFeatures', 'inChannels', 'numEmbeddings'];

/** A layer to be added: its options but for its name and what it reads. */
export type NewLayer = { readonly type: string } & Readonly<Record<string, unknown>>;

export interface Added {
  readonly dims: Dims;
  readonly held: number;
  readonly masked?: boolean;
  readonly sequence?: ModelInput | undefined;
  /** Where it is not what is read that masks steps. */
  readonly present?: () => Flow;
}

export class Builder {
  readonly layers: LayerSpec[] = [];
  readonly tensors: StateDict = new Map();
  readonly inputs: ModelInput[] = [];
  readonly #names = new Set<string>();
  /** Flows that are held in other ways than they were made: `source held` by how. */
  readonly #held = new Map<string, Flow>();

  /** A name like this one that nothing has yet. */
  name(like: string): string {
    let name = like;
    for (let k = 1; this.#names.has(name); k++) name = `${like}.${k}`;
    this.#names.add(name);
    return name;
  }

  /** An input of the model. */
  input(name: string, dims: Dims): Flow {
    const input = new ModelInput(this.name(name), dims);
    this.inputs.push(input);
    return { source: input.name, dims, held: 0, masked: false, input };
  }

  /** What an input gives, once it is known what reads it. */
  read(flow: Flow, at: string, isTokens = false): Flow {
    const { input, dims } = flow;
    if (flow.isMask) unsupported(at, 'reads a mask as if it were numbers');
    if (flow.pad) unsupported(at, 'reads ZeroPadding1D, which only a Conv1D may');
    if (!input) return flow;
    const kind = isTokens ? 'tokens' : dims.length > 1 ? 'steps' : 'row';
    if (input.kind !== undefined && input.kind !== kind) {
      unsupported(at, 'reads as numbers what an Embedding reads as tokens, or the other way round');
    }
    if (isTokens && dims.length !== 1) {
      unsupported(at, `an Embedding of inputs with ${dims.length} dimensions is not supported`);
    }
    input.kind = kind;
    const { input: _, ...known } = flow;
    return kind === 'row' ? known : { ...known, held: 1, sequence: input };
  }

  /** Adds a layer and takes its parameters. */
  add(
    name: string,
    options: NewLayer,
    reads: readonly Flow[],
    {
      dims,
      held,
      masked = reads.some((flow) => flow.masked),
      sequence = reads[0]?.sequence,
      present = masked ? presenceOf(reads) : undefined,
    }: Added,
    parameters: readonly Taker[] | readonly Parameter[] = [],
  ): Flow {
    const { type, ...others } = options;
    const layer: SizedLayer = { type, name: this.name(name), ...others };
    const sources = reads.map(({ source }) => source);
    const before = this.layers.at(-1)?.name ?? this.inputs[0]!.name;
    const isChain = sources.length === 1 && sources[0] === before;
    const spec = isChain ? layer : { ...layer, inputs: sources };
    this.layers.push(spec as unknown as LayerSpec);
    const loaded = isList(parameters) ? parameters : LOADERS.get(type)!(layer, parameters);
    for (const [role, tensor] of loaded) this.tensors.set(`${layer.name}.${role}`, tensor);
    return {
      source: layer.name,
      dims,
      held,
      masked,
      ...(sequence && { sequence }),
      ...(present && { present }),
    };
  }

  /** The same numbers with so many dimensions as steps. */
  hold(given: Flow, held: number, at: string): Flow {
    const flow = this.read(given, at);
    if (flow.held === held) return flow;
    const key = `${flow.source} ${flow.dims.join()} ${flow.held} ${held}`;
    const known = this.#held.get(key);
    if (known) return known;
    const { dims } = flow;
    let made: Flow;
    if (flow.held > held) {
      if (flow.held === 1) this.fix(flow, at);
      made = this.add(`${flow.source}/flatten`, { type: 'flatten' }, [flow], {
        dims,
        held: flow.held - 1,
        masked: false,
        sequence: flow.held === 1 ? undefined : flow.sequence,
      });
    } else {
      const steps = dims[flow.held];
      if (steps === undefined) unsupported(at, 'needs a number of steps that the file says');
      if (flow.held > 1) unsupported(at, `${dims.length + 1} dimensions are not supported`);
      const type = flow.held === 0 ? 'reshape' : 'unfold';
      const inputSize = widthOf(flow, at);
      made = this.add(`${flow.source}/steps`, { type, steps, inputSize }, [flow], {
        dims,
        held: flow.held + 1,
        masked: false,
      });
    }
    const there = this.hold(made, held, at);
    this.#held.set(key, there);
    return there;
  }

  /** The output of a layer: an input goes through one that does nothing. */
  layered(flow: Flow): Flow {
    if (!this.inputs.some(({ name }) => name === flow.source)) return flow;
    const options = { type: 'activation', activation: 'identity' };
    return this.add(`${flow.source}/identity`, options, [flow], flow);
  }

  /** All dimensions but the last as steps. */
  rows(flow: Flow, at: string): Flow {
    return this.hold(flow, flow.dims.length - 1, at);
  }

  /** Makes sequences have the steps that the file says. */
  fix({ sequence }: Flow, at: string): void {
    if (!sequence) return;
    if (sequence.dims[0] === undefined) {
      unsupported(at, 'needs sequences of a number of steps that the input shape says');
    }
    sequence.isFixed = true;
  }

  /** Brings what is joined to the same steps. */
  join(flows: readonly Flow[]): void {
    const [first, ...others] = flows.flatMap(({ sequence }) => sequence ?? []);
    for (const other of others) first!.join(other);
  }

  /** The whole description; `outputs` are layers. */
  describe(outputs: readonly string[]): ModelDescription {
    const read = this.inputs.filter(({ kind }) => kind !== undefined);
    const sequences = read.filter(({ kind }) => kind !== 'row');
    // Sequences of as many steps may share them as well.
    const bySteps = new Map<number, ModelInput>();
    for (const input of sequences) {
      const steps = input.dims[0];
      if (steps !== undefined) bySteps.set(steps, bySteps.get(steps) ?? input);
      if (steps !== undefined) bySteps.get(steps)!.join(input);
    }
    const leaders = new Map<ModelInput, string>();
    for (const { first, name } of sequences) leaders.set(first, leaders.get(first) ?? name);
    const fixed = new Set(sequences.filter(({ isFixed }) => isFixed).map(({ first }) => first));
    const inputs = read.map((input): InputSpec => {
      const { name, kind, dims, first } = input;
      const sizes = kind === 'tokens' ? [] : dims.slice(kind === 'row' ? 0 : 1);
      const size = sizes.reduce<number>((product, each) => product * (each ?? NaN), 1);
      if (kind === 'row') return { name, size, each: 'sequence' };
      const leader = leaders.get(first)!;
      return {
        name,
        ...(kind === 'steps' && { size }),
        ...(leader !== sequences[0]!.name && { stepsOf: leader }),
        ...(fixed.has(first) && { steps: dims[0]! }),
      };
    });
    const [only, ...others] = inputs;
    const first = this.layers[0]!;
    const isSized = SIZES.some((key) => Object.hasOwn(first, key));
    const isAlone = !others.length && only?.name === 'input' && !only.each && !only.steps;
    const isPlain = isAlone && isSized;
    const isLast = outputs.length === 1 && outputs[0] === this.layers.at(-1)?.name;
    return {
      layers: this.layers,
      ...(!isPlain && { inputs }),
      ...(!isLast && { outputs }),
    };
  }
}

/** What says which steps are masked, where all that mask some have the same. */
function presenceOf(reads: readonly Flow[]): (() => Flow) | undefined {
  const all = new Set(reads.filter(({ masked }) => masked).map(({ present }) => present));
  return all.size === 1 ? [...all][0] : undefined;
}

function isList(
  parameters: readonly Taker[] | readonly Parameter[],
): parameters is readonly Parameter[] {
  return parameters.length === 0 || Array.isArray(parameters[0]);
}
