import { endOf } from '../arena.ts';
import type { Block } from '../arena.ts';
import { checkInteger, checkKeys } from '../check.ts';
import { Engine, kernelsOf } from '../engine.ts';
import { GatefoldError } from '../errors.ts';
import { importsOf } from '../imports.ts';
import type { KernelImports } from '../imports.ts';
import type { Kernels } from '../kernels.ts';
import { Model, storeOf } from '../model.ts';
import { ThreadedEngine } from './engine.ts';

/** A model on its way to another worker: `postMessage` takes it. Only that worker may attach it, once. */
export interface SharedModel {
  readonly kernels: Uint8Array<ArrayBuffer>;
  readonly imports: KernelImports;
  readonly description: Model['description'];
  /** Where its parameters are, and where the worker may have states and workspaces. */
  readonly parameters: Block;
  readonly room: Block;
}

/**
 * Shares the parameters of a model of a `createThreadedEngine` with a worker of yours; call it once for each. They stay one copy: what
 * is loaded or learnt here is what the worker runs from then on, so let it rest meanwhile. The model and its engine must outlive it.
 *
 * @param options.maxBytes memory for the worker's states and passes; default 8 MiB.
 */
export function shareModel(
  model: Model,
  options: { readonly maxBytes?: number } = {},
): SharedModel {
  checkKeys('options', options, ['maxBytes']);
  const bytes = checkInteger('maxBytes', options.maxBytes ?? 8 * 2 ** 20, 4096);
  const { block: parameters } = storeOf(model);
  const { engine, description } = model;
  const kernels = engine instanceof ThreadedEngine ? engine.sharedKernels : undefined;
  if (!kernels) {
    throw new GatefoldError(
      'ERR_UNSUPPORTED',
      'the engine of the model has no shared memory: it takes createThreadedEngine(), in a host that has it',
    );
  }
  const { arena } = kernelsOf(engine);
  const room = arena.allocate(bytes, 'room for a worker', model);
  return { kernels, imports: importsOf(arena.memory), description, parameters, room };
}

/** An engine over a part of a memory that others use too. */
class RoomEngine extends Engine {
  static over({ kernels, imports, room }: SharedModel): RoomEngine {
    const module = new WebAssembly.Module(kernels);
    const { exports } = new WebAssembly.Instance(module, { ...imports });
    const heap_base = { value: room.address } as Kernels['run']['heap_base'];
    return new this({ exports: { ...exports, heap_base } }, imports.env.memory, endOf(room));
  }
}

/** The shared model in a worker: streams and passes of its own over the same parameters. */
export function attachModel(shared: SharedModel): Model {
  return Model.over(RoomEngine.over(shared), shared.description, shared.parameters);
}
