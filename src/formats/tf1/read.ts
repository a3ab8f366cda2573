/** Models out of variables of TensorFlow 1, whose names say what they are, and not their wiring. */
import { checkNumber, readOptions } from '../../base/check.ts';
import { GatefoldError, shorten } from '../../base/errors.ts';
import type { StateDict, Tensor } from '../../base/tensor.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Model } from '../../model/model.ts';
import { complete } from '../../ops/description.ts';
import type { LayerSpec, ModelDescription } from '../../ops/index.ts';
import { checkImported } from '../shared/check-imported.ts';
import { build } from '../shared/imported.ts';
import type { ImportedModel } from '../shared/imported.ts';
import { keras, tf1, toStateDict } from '../shared/layouts.ts';
import type { CellParameters } from '../shared/layouts.ts';
import { refuse, variablesOf } from './files.ts';
import type { Tf1Source, Variable, Variables } from './files.ts';

/** How `readTf1` reads. */
export interface Tf1Options {
  /**
   * The wiring, which a checkpoint does not name: the name of each layer is that of a scope of
   * variables, such as `rnn/basic_lstm_cell`. Without it the error has a proposal.
   */
  readonly description?: ModelDescription;
  /** What `BasicLSTMCell` and `LSTMCell` add to their forget gates at run time; default 1. */
  readonly forgetBias?: number;
}

/** Old names of a kernel and a bias first: each has all of the names after it. */
const KERNELS = ['kernel', 'weights', 'Matrix', 'matrix', 'w'];
const BIASES = ['bias', 'biases', 'Bias', 'b'];
/** Scopes that old cells have within their own. */
const INNER = /\/(?:Linear|linear)$/;

/** What variables of a scope become, with the parts of the scope that its cell has. */
type Kind = 'cell' | 'gated' | 'dense' | 'table';

interface Scope {
  readonly name: string;
  readonly kind: Kind;
  readonly kernel?: Variable;
  readonly bias?: Variable;
  /** Of a GRU: its other scope. */
  readonly candidate?: Scope;
}

/** Variables that no layer here has, and what would be needed. */
const UNREAD: readonly (readonly [RegExp, string])[] = [
  [
    /cudnn|opaque_kernel/i,
    'are weights as cuDNN packs them; save the model with CudnnCompatibleLSTMCell',
  ],
  [/\/w_[ifo]_diag$/, 'are peepholes; gatefold reads cells without them'],
  [/\/projection\/kernel$/, 'are projections; gatefold reads cells without them'],
];

function refuseUnread(variables: Variables): void {
  const found = UNREAD.flatMap(([pattern, problem]) => {
    const name = [...variables.keys()].find((own) => pattern.test(own));
    return name === undefined ? [] : [`"${shorten(name)}" and its like ${problem}`];
  });
  if (found.length > 0) throw new GatefoldError('ERR_UNSUPPORTED', found.join('; '));
}

/** The scopes of a checkpoint, in its order. */
function scopesOf(variables: Variables): Map<string, Scope> {
  const parts = new Map<string, Map<string, Variable>>();
  for (const [name, variable] of variables) {
    const slash = name.lastIndexOf('/');
    const [scope, own] = [name.slice(0, Math.max(slash, 0)), name.slice(slash + 1)];
    const part = parts.get(scope) ?? new Map<string, Variable>();
    parts.set(scope, part.set(own, variable));
  }
  const scopes = new Map<string, Scope>();
  const first = (part: ReadonlyMap<string, Variable> | undefined, names: readonly string[]) =>
    part && names.map((name) => part.get(name)).find((found) => found !== undefined);
  for (const [scope, part] of parts) {
    const gates = /^(.*)\/gates$/i.exec(scope)?.[1];
    const inner = parts.get(`${gates}/candidate`);
    if (/\/candidate$/i.test(scope) && parts.has(scope.replace(/candidate$/i, 'gates'))) continue;
    const name = gates !== undefined && inner ? gates : scope.replace(INNER, '');
    const [kernel, bias] = [first(part, KERNELS), first(part, BIASES)];
    const table =
      kernel ?? part.get('embedding') ?? part.get('embeddings') ?? part.get('embedding_matrix');
    const last = name.slice(name.lastIndexOf('/') + 1);
    const isCell = /cell|lstm|gru|rnn/i.test(last) && kernel !== undefined && bias !== undefined;
    if (gates !== undefined && inner) {
      const [other, otherBias] = [first(inner, KERNELS), first(inner, BIASES)];
      const candidate: Scope = { name, kind: 'dense', kernel: other, bias: otherBias };
      scopes.set(name, { name, kind: 'gated', kernel, bias, candidate });
    } else if (kernel) {
      scopes.set(name, { name, kind: isCell ? 'cell' : 'dense', kernel, bias });
    } else if (table) {
      scopes.set(name, { name, kind: 'table', kernel: table });
    }
  }
  return scopes;
}

const needed = ({ name }: Scope, what: string, variable: Variable | undefined): Tensor =>
  variable ? variable.read() : refuse(`"${shorten(name)}" has no ${what}`);

/** A cell's parameters, and errors that say which scope is at fault. */
function cellOf(scope: Scope, read: () => CellParameters): CellParameters {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GatefoldError) || error.code !== 'ERR_SHAPE') throw error;
    return refuse(`"${shorten(scope.name)}": ${error.message}`);
  }
}

interface Reading {
  readonly scopes: ReadonlyMap<string, Scope>;
  readonly forgetBias: number;
}

type Layer = Readonly<Record<string, unknown>> & { readonly name: string; readonly type: string };

/** The scope of a layer: of its name, or the only one within it. */
function scopeOf({ scopes }: Reading, name: string, within = ''): Scope {
  const own = scopes.get(name + within);
  if (own) return own;
  const inside = [...scopes.values()].filter((scope) => scope.name.startsWith(`${name}${within}/`));
  if (inside.length === 1) return inside[0]!;
  const known = [...scopes.keys()].slice(0, 8).map((scope) => `"${shorten(scope)}"`);
  const count = inside.length === 0 ? 'no' : `${inside.length}`;
  return refuse(
    `it has ${count} cells for the layer "${shorten(name)}"${within && ` in "${within}"`}; it has ${known.join(', ')}`,
  );
}

/** A recurrent layer: one cell, or one for each direction. */
function recurrent(
  reading: Reading,
  layer: Layer,
  read: (scope: Scope) => CellParameters,
): StateDict {
  if ((layer.numLayers as number) > 1) {
    const message = `"${shorten(layer.name)}" has ${layer.numLayers} sub-layers: describe each cell of a checkpoint as a layer of its own`;
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  const tensors: StateDict = new Map();
  const directions = layer.bidirectional ? ['/fw', '/bw'] : [''];
  for (const [k, within] of directions.entries()) {
    const scope = scopeOf(reading, layer.name, within);
    const cell = cellOf(scope, () => read(scope));
    const shape = [cell.bias_ih!.shape[0]!];
    const second = { shape, data: new Float32Array(shape[0]!) };
    const own = layer.bias === true ? { ...cell, bias_hh: second } : cell;
    for (const entry of toStateDict(layer.name, own, { reverse: k === 1 })) tensors.set(...entry);
  }
  return tensors;
}

/** The parameters of each type of layer that a checkpoint has. */
const READERS: Readonly<Record<string, (reading: Reading, layer: Layer) => StateDict>> = {
  lstm: (reading, layer) =>
    recurrent(reading, layer, (scope) => {
      const [kernel, bias] = [
        needed(scope, 'kernel', scope.kernel),
        needed(scope, 'bias', scope.bias),
      ];
      return tf1.lstm(kernel, bias, { forgetBias: reading.forgetBias });
    }),
  gru: (reading, layer) => {
    if (layer.resetAfter !== false) {
      const message = `"${shorten(layer.name)}" expected resetAfter: false, as GRUCell has it`;
      throw new GatefoldError('ERR_ARGUMENT', message);
    }
    return recurrent(reading, layer, (scope) => {
      const { candidate } = scope;
      const cell = (own: Scope | undefined) => ({
        kernel: needed(scope, 'gates and candidate', own?.kernel),
        bias: needed(scope, 'gates and candidate', own?.bias),
      });
      return candidate
        ? tf1.gru(cell(scope), cell(candidate))
        : refuse(`"${shorten(scope.name)}" is no GRUCell`);
    });
  },
  rnn: (reading, layer) =>
    recurrent(reading, layer, (scope) =>
      tf1.rnn(needed(scope, 'kernel', scope.kernel), needed(scope, 'bias', scope.bias)),
    ),
  linear: (reading, { name, bias }) => {
    const scope = scopeOf(reading, name);
    const kernel = needed(scope, 'kernel', scope.kernel);
    const tensors: StateDict = new Map([
      [`${name}.weight`, kernel.shape.length === 2 ? keras.dense(kernel) : kernel],
    ]);
    if (bias) tensors.set(`${name}.bias`, needed(scope, 'bias', scope.bias));
    return tensors;
  },
  conv1d: (reading, { name, bias }) => {
    const scope = scopeOf(reading, name);
    const kernel = needed(scope, 'kernel', scope.kernel);
    const tensors: StateDict = new Map([
      [`${name}.weight`, kernel.shape.length === 3 ? keras.conv1d(kernel) : kernel],
    ]);
    if (bias) tensors.set(`${name}.bias`, needed(scope, 'bias', scope.bias));
    return tensors;
  },
  embedding: (reading, { name }) => {
    const scope = scopeOf(reading, name);
    return new Map([[`${name}.weight`, needed(scope, 'table', scope.kernel)]]);
  },
};

/** A scope as a layer, where its arrays say what it is; they are checked when they are read. */
function layerOf(scope: Scope, name: string): LayerSpec | undefined {
  const { kind, kernel, bias } = scope;
  const [rows, columns, third] = kernel?.shape ?? [];
  if (kind === 'gated') {
    const hiddenSize = (bias?.shape[0] ?? 0) / 2;
    const inputSize = rows! - hiddenSize;
    return { type: 'gru', name, inputSize, hiddenSize, resetAfter: false, bias: 'single' };
  }
  if (kind === 'cell') {
    // A plain cell has a unit for each column.
    const isLstm = /lstm/i.test(scope.name.slice(scope.name.lastIndexOf('/') + 1));
    const hiddenSize = isLstm ? columns! / 4 : columns!;
    const spec = { name, inputSize: rows! - hiddenSize, hiddenSize, bias: 'single' } as const;
    return isLstm ? { type: 'lstm', ...spec } : { type: 'rnn', ...spec };
  }
  if (kind === 'table')
    return { type: 'embedding', name, numEmbeddings: rows!, embeddingDim: columns! };
  if (third !== undefined) {
    return { type: 'conv1d', name, inChannels: columns!, outChannels: third, kernelSize: rows! };
  }
  if (columns === undefined) return undefined;
  return {
    type: 'linear',
    name,
    inFeatures: rows!,
    outFeatures: columns,
    bias: bias !== undefined,
  };
}

/** Tables first, then cells, then the rest: the order that models mostly have. */
const ORDER: readonly (readonly Kind[])[] = [['table'], ['cell', 'gated'], ['dense']];

function propose(scopes: ReadonlyMap<string, Scope>): ModelDescription {
  const all = [...scopes.values()];
  const sorted = ORDER.flatMap((kinds) => all.filter(({ kind }) => kinds.includes(kind)));
  const layers = sorted.flatMap((scope): LayerSpec[] => {
    const pair = /^(.*)\/(fw|bw)(?:\/.*)?$/.exec(scope.name);
    if (pair?.[2] === 'bw') return [];
    const layer = layerOf(scope, pair?.[1] ?? scope.name);
    if (!layer) return [];
    return [pair ? ({ ...layer, bidirectional: true } as LayerSpec) : layer];
  });
  return { layers };
}

function unwired(scopes: ReadonlyMap<string, Scope>): never {
  const text = JSON.stringify(propose(scopes));
  const own =
    text.length > 8000
      ? ''
      : `; a proposal (activations, pools and order are yours to say): ${text}`;
  const message = `a checkpoint names variables, not their wiring: pass { description } whose layers have the names of scopes${own}`;
  throw new GatefoldError('ERR_UNSUPPORTED', message);
}

/**
 * The model of a checkpoint of TensorFlow 1: `manifest.json` and a file for each variable, or
 * arrays of NumPy by the names of variables.
 */
export function readTf1(source: Tf1Source, options: Tf1Options = {}): ImportedModel {
  const { description, forgetBias = 1 } = readOptions('options', options, [
    'description',
    'forgetBias',
  ]);
  checkNumber('forgetBias', forgetBias, -1e6, 1e6);
  const variables = variablesOf(source);
  refuseUnread(variables);
  const scopes = scopesOf(variables);
  if (!description) return unwired(scopes);
  const reading = { scopes, forgetBias };
  const tensors: StateDict = new Map();
  for (const layer of complete(description).layers as readonly unknown[] as readonly Layer[]) {
    const read =
      Object.hasOwn(READERS, layer.type) && !layer.tied ? READERS[layer.type] : undefined;
    for (const [name, tensor] of read?.(reading, layer) ?? []) tensors.set(name, tensor);
  }
  const imported = { description, tensors, metadata: { format: 'TensorFlow 1' } };
  try {
    checkImported(imported);
  } catch (error) {
    if (!(error instanceof GatefoldError) || error.code !== 'ERR_SHAPE') throw error;
    return refuse(error.message);
  }
  return imported;
}

/** The same as a model of an engine. */
export function loadTf1(engine: Engine, source: Tf1Source, options: Tf1Options = {}): Model {
  return build(engine, readTf1(source, options));
}
