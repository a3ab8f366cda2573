import { endOf, roundUp } from '../engine/arena.ts';
import type { Block } from '../engine/arena.ts';
import { isOf, isShared, lengthOf } from '../base/arrays.ts';
import { checkInteger, frozenCopy, readOptions } from '../base/check.ts';
import { Engine, kernelsOf } from '../engine/engine.ts';
import { GatefoldError } from '../base/errors.ts';
import type { KernelImports } from '../engine/imports.ts';
import type { Kernels } from '../engine/kernels.ts';
import { Model, storeOf } from '../model/model.ts';
import { TeamEngine } from './engine.ts';

/**
 * A model on its way to another worker: `postMessage` takes it. Only that worker may attach it,
 * once.
 */
export interface SharedModel {
  /** Bytes of the kernels that the workers compile. */
  readonly kernels: Uint8Array<ArrayBuffer>;
  /** @internal */
  readonly imports: KernelImports;
  /** That of the model. */
  readonly description: Model['description'];
  /** @internal Where its parameters are. */
  readonly parameters: Block;
  /** @internal Where the worker may have states and workspaces. */
  readonly room: Block;
  /**
   * @internal One word that both sides see: whether the room has been offered, is in use, or may be
   *   had back.
   */
  readonly life: Int32Array<SharedArrayBuffer>;
}

const OFFERED = 0;
const ATTACHED = 1;
const RELEASED = 2;

/** The rooms of attached models that nobody disposes of. */
const collected = new FinalizationRegistry(release);

function release(life: Int32Array): void {
  Atomics.store(life, 0, RELEASED);
}

/**
 * Shares the parameters of a model of a `ThreadedEngine` with a worker of yours; call it once
 * for each. They stay one copy: what is loaded or learnt here is what the worker runs from then on,
 * so let it rest meanwhile.
 *
 * Both the parameters and the worker's memory stay taken until the attached model is disposed of or
 * collected, whatever becomes of the model here. Where the worker was terminated instead, call
 * `releaseModel`.
 *
 * @param options.maxBytes memory for the worker's states and passes; default 8 MiB.
 */
export function shareModel(
  model: Model,
  options: { readonly maxBytes?: number } = {},
): SharedModel {
  const given = readOptions('options', options, ['maxBytes']);
  const bytes = checkInteger('maxBytes', given.maxBytes ?? 8 * 2 ** 20, 4096, 2 ** 32 - 1);
  const { block: parameters } = storeOf(model);
  const { engine, description } = model;
  const kernels = engine instanceof TeamEngine ? engine.sharedKernels : undefined;
  if (!kernels) {
    throw new GatefoldError(
      'ERR_UNSUPPORTED',
      'the engine of the model has no shared memory: it takes ThreadedEngine.create(), in a host that has it',
    );
  }
  const { arena, imports } = kernelsOf(engine);
  const room = arena.allocate(bytes, 'room for a worker');
  const life = new Int32Array(new SharedArrayBuffer(4));
  arena.lend({ room, kept: parameters, isOver: () => Atomics.load(life, 0) === RELEASED });
  return { kernels, imports, description, parameters, room, life };
}

/**
 * Gives back what `shareModel` took for a worker that can no longer do so: it was terminated, or
 * has never attached the model. It must have ended (await its `terminate()`), for its memory goes
 * to whoever asks next.
 */
export function releaseModel(shared: SharedModel): void {
  release(checkShared(shared).life);
}

/**
 * The shared model in a worker: streams and passes of its own over the same parameters. `dispose()`
 * gives its memory back to the owner, and ends everything else that is in it.
 */
export function attachModel(shared: SharedModel): Model {
  const checked = checkShared(shared);
  const { description, parameters, life } = checked;
  const was = Atomics.compareExchange(life, 0, OFFERED, ATTACHED);
  if (was !== OFFERED) {
    const state = was === ATTACHED ? 'been attached already' : 'been given back to its owner';
    const message = `"shared" has ${state}: call shareModel() once for each attachModel()`;
    throw new GatefoldError('ERR_STATE', message);
  }
  try {
    const engine = RoomEngine.over(checked);
    const model = Model.over(engine, frozenCopy('shared.description', description), {
      block: parameters,
      release: () => engine.dispose(),
    });
    // Everything that reads or writes in the room has its kernels.
    collected.register(kernelsOf(engine), life);
    return model;
  } catch (error) {
    Atomics.store(life, 0, OFFERED);
    throw error;
  }
}

/** An engine over a part of a memory that others use too. */
class RoomEngine extends Engine {
  readonly #life: Int32Array;

  protected constructor(instance: WebAssembly.Instance, { imports, room, life }: SharedModel) {
    super(instance, imports, endOf(room));
    this.#life = life;
  }

  static over(shared: SharedModel): RoomEngine {
    const { kernels, imports, parameters, room } = shared;
    const { exports } = instantiate(kernels, imports);
    const base = (exports as unknown as Partial<Kernels['run']>).heap_base?.value as unknown;
    if (typeof base !== 'number') throw refusal('kernels', 'the kernels of this package');
    for (const [name, { address }] of Object.entries({ parameters, room })) {
      checkInteger(`shared.${name}.address`, address, base, 2 ** 32);
    }
    const heap_base = { value: room.address };
    return new this({ exports: { ...exports, heap_base } }, shared);
  }

  override dispose(): void {
    super.dispose();
    release(this.#life);
  }
}

function instantiate(
  kernels: Uint8Array<ArrayBuffer>,
  imports: KernelImports,
): WebAssembly.Instance {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(kernels), { ...imports });
  } catch (error) {
    throw refusal('kernels', `kernels that this host takes (${String(error)})`);
  }
}

function refusal(name: string, wanted: string): GatefoldError {
  const message = `"shared.${name}" expected ${wanted}: pass on what shareModel() returned, as it is`;
  return new GatefoldError('ERR_ARGUMENT', message);
}

function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

const KEYS = ['kernels', 'imports', 'description', 'parameters', 'room', 'life'] as const;

/** What `shareModel` returned, after `postMessage`: every address lies where it may. */
function checkShared(shared: SharedModel): SharedModel {
  const given = readOptions('shared', shared, KEYS);
  const { kernels, life } = given;
  const { memory, tiles } = { ...given.imports?.env };
  if (!isOf('Uint8Array', kernels)) throw refusal('kernels', 'a Uint8Array');
  if (tagOf(memory) !== 'WebAssembly.Memory' || tagOf(memory!.buffer) !== 'SharedArrayBuffer')
    throw refusal('imports.env.memory', 'a shared WebAssembly.Memory');
  if (!isOf('Int32Array', life) || lengthOf(life) !== 1 || !isShared(life))
    throw refusal('life', 'one word of shared memory');
  const end = memory!.buffer.byteLength;
  const parameters = checkBlock('parameters', given.parameters, end);
  const room = checkBlock('room', given.room, end);
  if (parameters.address < endOf(room) && room.address < endOf(parameters))
    throw refusal('room', 'memory apart from the parameters');
  const imports = { env: { memory: memory!, tiles: tiles! } };
  return { ...given, imports, parameters, room };
}

function checkBlock(name: 'parameters' | 'room', block: Block, end: number): Block {
  const given = readOptions(`shared.${name}`, block, ['address', 'bytes']);
  const address = checkInteger(`shared.${name}.address`, given.address, 1, end);
  const bytes = checkInteger(`shared.${name}.bytes`, given.bytes, 0, end - address);
  if (roundUp(address) !== address || roundUp(bytes) !== bytes)
    throw refusal(name, 'a block of whole lines of memory');
  return { address, bytes };
}
