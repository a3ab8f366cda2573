import { isBuffer } from '../base/arrays.ts';
import { checkInteger, checkKeys } from '../base/check.ts';
import { HostDisposable } from '../base/disposable.ts';
import { GatefoldError } from '../base/errors.ts';
import type { WasmModule } from '../base/host.ts';
import { importsOf } from './imports.ts';
import { Kernels } from './kernels.ts';

/** Memory that an engine may have unless told otherwise. */
export const DEFAULT_MAX_BYTES: number = 256 * 2 ** 20;

export interface CoreEngineOptions {
  /** The compiled kernels, or their bytes: one of the package's `.wasm` files. */
  readonly module: WasmModule | ArrayBuffer | ArrayBufferView<ArrayBuffer>;
  /** Most bytes of linear memory; default 256 MiB. */
  readonly maxBytes?: number;
}

const internals = new WeakMap<Engine, Kernels>();

/** The kernels of an engine that is still in use. Not part of the package's public face. */
export function kernelsOf(engine: Engine): Kernels {
  const kernels = internals.get(engine);
  if (!kernels)
    throw new GatefoldError('ERR_DISPOSED', 'the engine has been disposed; create another');
  return kernels;
}

/**
 * One WebAssembly instance with its memory: the only owner of what models, streams and trainers
 * hold.
 */
export class Engine extends HostDisposable {
  /**
   * Which kernels run: `relaxed` rounds a product and a sum once, `baseline` gives the same bits on
   * every machine.
   */
  readonly variant: 'relaxed' | 'baseline';
  /** Most bytes of linear memory. */
  readonly maxBytes: number;

  protected constructor(
    instance: WebAssembly.Instance,
    memory: WebAssembly.Memory,
    maxBytes: number,
  ) {
    super();
    const kernels = new Kernels(instance, memory, maxBytes);
    internals.set(this, kernels);
    this.variant = kernels.relaxed ? 'relaxed' : 'baseline';
    this.maxBytes = maxBytes;
  }

  /** Compiles (unless it is given a module) and instantiates without blocking. */
  static async create(options: CoreEngineOptions): Promise<Engine> {
    const module = checkModule(options);
    try {
      const compiled = isModule(module) ? module : await WebAssembly.compile(module);
      const { memory, maxBytes } = createMemory(options);
      const instance = await WebAssembly.instantiate(compiled, { ...importsOf(memory) });
      return new this(instance, memory, maxBytes);
    } catch (error) {
      throw refused(error);
    }
  }

  /** The same at once, for worklets and workers. */
  static createSync(options: CoreEngineOptions): Engine {
    const module = checkModule(options);
    try {
      const compiled = isModule(module) ? module : new WebAssembly.Module(module);
      const { memory, maxBytes } = createMemory(options);
      const instance = new WebAssembly.Instance(compiled, { ...importsOf(memory) });
      return new this(instance, memory, maxBytes);
    } catch (error) {
      throw refused(error);
    }
  }

  /** Bytes of linear memory at this moment. */
  get bytes(): number {
    return kernelsOf(this).arena.memory.buffer.byteLength;
  }

  /** Ends the engine and everything in it; every use after it throws. */
  dispose(): void {
    internals.delete(this);
  }
}

const PAGE = 65536;

/** Whether a value is a compiled module, of any realm. */
function isModule(value: unknown): value is WebAssembly.Module {
  return Object.prototype.toString.call(value) === '[object WebAssembly.Module]';
}

function checkModule(options: CoreEngineOptions): CoreEngineOptions['module'] {
  if (typeof WebAssembly !== 'object') {
    const message =
      'this host has no WebAssembly (Lockdown Mode and some embedded browsers switch it off)';
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  checkKeys('options', options, ['module', 'maxBytes']);
  const { module } = options;
  if (isModule(module) || isBuffer(module) || ArrayBuffer.isView(module)) return module;
  const message = `"module" expected a WebAssembly.Module or the bytes of one, got ${typeof module}`;
  throw new GatefoldError('ERR_ARGUMENT', message);
}

/** A memory that grows to at most `maxBytes`. */
export function createMemory(
  options: Pick<CoreEngineOptions, 'maxBytes'>,
  shared = false,
): { memory: WebAssembly.Memory; maxBytes: number } {
  const maxBytes = checkInteger(
    'maxBytes',
    options.maxBytes ?? DEFAULT_MAX_BYTES,
    PAGE,
    2 ** 32 - PAGE,
  );
  const maximum = Math.floor(maxBytes / PAGE);
  const memory = new WebAssembly.Memory({ initial: 1, maximum, shared });
  return { memory, maxBytes: maximum * PAGE };
}

/** What a host says when it will not compile or instantiate, with what to do about it. */
function refused(error: unknown): unknown {
  if (error instanceof GatefoldError || !(error instanceof Error)) return error;
  const hint =
    error.name === 'CompileError'
      ? ": it may lack WebAssembly SIMD, forbid compiling (allow 'wasm-unsafe-eval' in the Content-Security-Policy; in Workers " +
        'import the .wasm file and give it as "module"), or the bytes are not a gatefold module'
      : '';
  return new GatefoldError(
    'ERR_UNSUPPORTED',
    `this host refuses the kernels (${error.message})${hint}`,
  );
}
