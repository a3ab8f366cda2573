import { GatefoldError } from '../../base/errors.ts';
import { complete } from '../../ops/description.ts';
import type { LayerSpec, ModelDescription } from '../../ops/index.ts';
import type { PytorchModule } from './modules.ts';

/** A guess at the wiring, or why there is none. */
export type Proposal =
  | { readonly description: ModelDescription; readonly problem?: undefined }
  | { readonly description?: undefined; readonly problem: string };

/** Layers that a guess may have. */
const MAX_LAYERS = 64;
/** Keys under which training scripts keep a model's state_dict beside other things. */
const WRAPPERS = /^(?:model_?)?(?:state_?dict|state|weights|params)$|^(?:model|net|network)$/i;

const CELLS = /(?:^|\.)weight_ih(?:_l\d|$)/;

/** The path below which a file keeps its model. */
export function rootOf(names: readonly string[]): string {
  let root = '';
  // A part of a model may be called `net`: the cells are elsewhere then.
  const cells = names.filter((name) => CELLS.test(name));
  const hasCells = (head: string): boolean =>
    !cells.length || cells.some((name) => name.startsWith(`${head}.`));
  for (;;) {
    const own = names.filter((name) => name.startsWith(root));
    const heads = new Set(own.map((name) => name.slice(root.length).split('.', 1)[0]!));
    const wrapped = [...heads].filter((head) => WRAPPERS.test(head));
    const [head] = heads.size === 1 ? [...heads] : root === '' ? wrapped.filter(hasCells) : [];
    const next = `${root}${head}.`;
    // A module that has tensors of its own is a part of the model.
    const isLast = own.some(
      (name) => name.startsWith(next) && !name.slice(next.length).includes('.'),
    );
    if (head === undefined || isLast || !own.some((name) => name.startsWith(next))) return root;
    root = next;
  }
}

/** A module as a layer of a description, named below the root. */
function named({ name, ...layers }: PytorchModule, root: string, isTable: boolean): LayerSpec {
  const { type, name: _, ...rest } = (isTable && layers.table) || layers.layer!;
  const own = name.slice(root.length);
  return { type, ...(own && { name: own }), ...rest } as LayerSpec;
}

/** Where a module stands in a torch.nn.Sequential: its parent, and its number there. */
function placeOf({ name }: PytorchModule): { parent: string; number: number } {
  const dot = name.lastIndexOf('.');
  return { parent: name.slice(0, dot + 1), number: Number(name.slice(dot + 1) || NaN) };
}

/** Whether something without tensors stood between two modules of a Sequential. */
function isGap(before: PytorchModule, after: PytorchModule): boolean {
  const [one, other] = [placeOf(before), placeOf(after)];
  return one.parent === other.parent && other.number - one.number > 1;
}

const NORMS: readonly unknown[] = ['batchNorm', 'layerNorm'];

/**
 * Modules that an activation follows, which no state_dict has: nobody puts a matrix straight behind
 * a matrix. A norm between them stands before it, unless a gap in the numbers says otherwise.
 */
function activated(modules: readonly PytorchModule[]): Set<PytorchModule> {
  const found = new Set<PytorchModule>();
  // A module that was pickled whole has its activations as modules.
  if (modules.some(({ type }) => type !== undefined)) return found;
  const kinds = modules.map(({ layer }) => layer!.type);
  for (const [k, matrix] of modules.entries()) {
    if (kinds[k] !== 'linear') continue;
    const hasNorm = NORMS.includes(kinds[k + 1]);
    if (kinds[hasNorm ? k + 2 : k + 1] !== 'linear') continue;
    const norm = modules[k + 1]!;
    found.add(hasNorm && !isGap(matrix, norm) ? norm : matrix);
  }
  return found;
}

function chain(modules: readonly PytorchModule[], root: string, hasTable: boolean): LayerSpec[] {
  const followed = activated(modules);
  const layers = modules.map((module, k): LayerSpec => {
    const layer = named(module, root, hasTable && k === 0);
    const isMatrix = followed.has(module) && layer.type === 'linear';
    return isMatrix ? { ...layer, activation: 'relu' } : layer;
  });
  const last = modules.map(({ isRecurrent }) => isRecurrent).lastIndexOf(true);
  const [first, head] = [layers[0]!, layers.at(-1)!];
  // A model of tokens scores each of them at every step.
  const isTokens =
    'numEmbeddings' in first && 'outFeatures' in head && first.numEmbeddings === head.outFeatures;
  const isMany = isTokens || last + 1 === layers.length;
  // Of both ways `output[:, -1]` has the last step, where the way back has just begun.
  const { bidirectional = false } = layers[last]! as { bidirectional?: boolean };
  const place = isMany ? -1 : bidirectional ? layers.length : last + 1;
  const pool: LayerSpec = { type: 'pool', mode: 'last' };
  const relu: LayerSpec = { type: 'activation', activation: 'relu' };
  return [
    ...layers.flatMap((layer, k): LayerSpec[] => [
      ...(k === place ? [pool] : []),
      layer,
      ...(NORMS.includes(layer.type) && followed.has(modules[k]!) ? [relu] : []),
    ]),
    ...(place === layers.length ? [pool] : []),
  ];
}

/** Parts of an attention. */
const ATTENTION = /(?:^|\.)(?:query|key|value|[qkv]_?proj|w_?[qkv]|attn|attention)(?:\.|\d*$)/i;

/** What the names of modules say of wiring that no order tells. */
function unordered(modules: readonly PytorchModule[]): string | undefined {
  const parts = modules.filter(({ name }) => ATTENTION.test(name)).map(({ name }) => `"${name}"`);
  if (parts.length > 0) return `no order tells how ${parts.slice(0, 6).join(', ')} attend`;
  const recurrent = modules.filter(({ isRecurrent }) => isRecurrent);
  const decoder = recurrent.slice(1).find(({ name }) => /decoder/i.test(name));
  return decoder && `no order tells what "${decoder.name}" reads`;
}

const RANKS: readonly (string | undefined)[] = ['embedding', 'conv1d'];

/** Tables, convolutions and recurrent modules before all others: safetensors sorts by names. */
function usual(modules: readonly PytorchModule[]): readonly PytorchModule[] {
  const rankOf = ({ layer, isRecurrent }: PytorchModule): number => {
    const rank = RANKS.indexOf(layer?.type);
    return rank >= 0 ? rank : isRecurrent ? 2 : 3;
  };
  return [...modules].sort((a, b) => rankOf(a) - rankOf(b));
}

/** A module in messages: where it has no name, its tensors have. */
function called({ name, shapes }: PytorchModule): string[] {
  return (name ? [name] : Object.keys(shapes)).map((one) => `"${one}"`);
}

/**
 * The modules of a file in a chain, where each reads what the one before makes. Behind the last
 * recurrent one the others are taken to read the last step, but for a model of the tokens that it
 * reads; between two matrices a relu.
 */
export function propose(modules: readonly PytorchModule[], root: string): Proposal {
  const unknown = modules.filter(({ layer }) => !layer).flatMap((module) => called(module));
  if (unknown.length > 0) {
    const are = unknown.length > 1 ? 'are no layers' : 'is no layer';
    return { problem: `${unknown.slice(0, 6).join(', ')} ${are} that can be told by its tensors` };
  }
  if (modules.length > MAX_LAYERS) return { problem: `it has ${modules.length} modules` };
  if (!modules.some(({ isRecurrent }) => isRecurrent)) {
    return { problem: 'it has no recurrent module' };
  }
  let problem = unordered(modules) ?? '';
  if (problem) return { problem };
  for (const order of [modules, usual(modules)]) {
    for (const hasTable of order[0]!.table ? [false, true] : [false]) {
      const description = { layers: chain(order, root, hasTable) };
      try {
        complete(description);
        return { description };
      } catch (error) {
        if (!(error instanceof GatefoldError)) throw error;
        problem ||= error.message;
      }
    }
  }
  return { problem: `its modules are no chain in their order (${problem})` };
}
