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

/** The path below which a file keeps its model. */
export function rootOf(names: readonly string[]): string {
  let root = '';
  for (;;) {
    const own = names.filter((name) => name.startsWith(root));
    const heads = new Set(own.map((name) => name.slice(root.length).split('.', 1)[0]!));
    const wrapped = [...heads].filter((head) => WRAPPERS.test(head));
    const [head] = heads.size === 1 ? [...heads] : root === '' ? wrapped : [];
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

function chain(modules: readonly PytorchModule[], root: string, hasTable: boolean): LayerSpec[] {
  const layers = modules.map((module, k) => named(module, root, hasTable && k === 0));
  const last = modules.map(({ isRecurrent }) => isRecurrent).lastIndexOf(true);
  const [first, head] = [layers[0]!, layers.at(-1)!];
  // A model of tokens scores each of them at every step.
  const isTokens =
    'numEmbeddings' in first && 'outFeatures' in head && first.numEmbeddings === head.outFeatures;
  const isMany = isTokens || last + 1 === layers.length;
  // Of both ways `output[:, -1]` has the last step, where the way back has just begun.
  const { bidirectional = false } = layers[last]! as { bidirectional?: boolean };
  const place = bidirectional ? layers.length : last + 1;
  return isMany
    ? layers
    : [...layers.slice(0, place), { type: 'pool', mode: 'last' }, ...layers.slice(place)];
}

/**
 * The modules of a file in a chain, where each reads what the one before makes. Behind the last
 * recurrent one the others are taken to read the last step, but for a model of the tokens that it
 * reads.
 */
export function propose(modules: readonly PytorchModule[], root: string): Proposal {
  const unknown = modules.filter(({ layer }) => !layer).map(({ name }) => `"${name || root}"`);
  if (unknown.length > 0) {
    const are = unknown.length > 1 ? 'are no layers' : 'is no layer';
    return { problem: `${unknown.slice(0, 6).join(', ')} ${are} that can be told by its tensors` };
  }
  if (modules.length > MAX_LAYERS) return { problem: `it has ${modules.length} modules` };
  if (!modules.some(({ isRecurrent }) => isRecurrent)) {
    return { problem: 'it has no recurrent module' };
  }
  let problem = '';
  for (const hasTable of modules[0]!.table ? [false, true] : [false]) {
    const description = { layers: chain(modules, root, hasTable) };
    try {
      complete(description);
      return { description };
    } catch (error) {
      if (!(error instanceof GatefoldError)) throw error;
      problem ||= error.message;
    }
  }
  return { problem: `its modules are no chain in their order (${problem})` };
}
