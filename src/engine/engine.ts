import { isBuffer } from '../base/arrays.ts';
import { checkFlag, checkInteger, checkKeys, show } from '../base/check.ts';
import { HostDisposable } from '../base/disposable.ts';
import { GatefoldError } from '../base/errors.ts';
import type { WasmModule } from '../base/host.ts';
import { tilesOf } from './imports.ts';
import type { KernelImports } from './imports.ts';
import { Kernels } from './kernels.ts';

/** Memory that an engine may have unless told otherwise. */
export const DEFAULT_MAX_BYTES: number = 256 * 2 ** 20;

/** How an engine of `gatefold/core` is created. */
export interface CoreEngineOptions {
  /** The compiled kernels, or their bytes: one of the package's `.wasm` files. */
  readonly module: WasmModule | ArrayBuffer | ArrayBufferView<ArrayBuffer>;
  /** Most bytes of linear memory; default 256 MiB. */
  readonly maxBytes?: number;
  /**
   * Whether products run in tiles for vectors of 256 bits; default false. Faster in a process that
   * `enableFastLane()` of `gatefold/node` has prepared, slower in any other; the results are the
   * same bits.
   */
  readonly wide?: boolean;
}

const internals = new WeakMap<Engine, Kernels>();

/** The kernels of an engine that is still in use. Not part of the package's public face. */
export function kernelsOf(engine: Engine): Kernels {
  const kernels = internals.get(engine);
  if (kernels) return kernels;
  if (engine instanceof Engine) {
    throw new GatefoldError('ERR_DISPOSED', 'the engine has been disposed; create another');
  }
  throw new GatefoldError('ERR_ARGUMENT', `"engine" expected an Engine, got ${foreign(engine)}`);
}

/** What stands where an object of this package is wanted, with what to do about it. */
export function foreign(value: unknown): string {
  const { then, dispose } = Object(value) as { then?: unknown; dispose?: unknown };
  if (typeof then === 'function') return 'a Promise: put "await" before the call that gave it';
  if (typeof dispose === 'function' && !(value instanceof Engine)) {
    return `${show(value)}, of another kind or another copy of this package: install one version of it once`;
  }
  return show(value);
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

  protected constructor(instance: WebAssembly.Instance, imports: KernelImports, maxBytes: number) {
    super();
    const kernels = new Kernels(instance, imports, maxBytes);
    internals.set(this, kernels);
    this.variant = kernels.relaxed ? 'relaxed' : 'baseline';
    this.maxBytes = maxBytes;
  }

  /** Compiles (unless it is given a module) and instantiates without blocking. */
  static async create(options: CoreEngineOptions): Promise<Engine> {
    const module = checkModule(options);
    try {
      // Not as a member: Next's webpack refuses a program for the edge in which that stands.
      const { compile } = WebAssembly;
      const compiled = isModule(module) ? module : await compile(module);
      const { imports, maxBytes } = createImports(options);
      const instance = await WebAssembly.instantiate(compiled, { ...imports });
      return new this(instance, imports, maxBytes);
    } catch (error) {
      throw refused(error);
    }
  }

  /** The same at once, for worklets and workers. */
  static createSync(options: CoreEngineOptions): Engine {
    const module = checkModule(options);
    try {
      const compiled = isModule(module) ? module : new WebAssembly.Module(module);
      const { imports, maxBytes } = createImports(options);
      const instance = new WebAssembly.Instance(compiled, { ...imports });
      return new this(instance, imports, maxBytes);
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
      'this host has no WebAssembly (React Native, Lockdown Mode and some embedded browsers lack it)';
    throw new GatefoldError('ERR_UNSUPPORTED', message);
  }
  checkKeys('options', options, ['module', 'maxBytes', 'wide']);
  const { module } = options;
  if (isModule(module) || isBuffer(module) || ArrayBuffer.isView(module)) return module;
  const message = `"module" expected a WebAssembly.Module or the bytes of one, got ${typeof module}`;
  throw new GatefoldError('ERR_ARGUMENT', message);
}

/** What the kernels of an engine import, its memory growing to at most `maxBytes`. */
export function createImports(
  options: Pick<CoreEngineOptions, 'maxBytes' | 'wide'>,
  shared = false,
): { imports: KernelImports; maxBytes: number } {
  const tiles = tilesOf(checkFlag('wide', options.wide));
  const maxBytes = checkInteger(
    'maxBytes',
    options.maxBytes ?? DEFAULT_MAX_BYTES,
    PAGE,
    2 ** 32 - PAGE,
  );
  const maximum = Math.floor(maxBytes / PAGE);
  const memory = new WebAssembly.Memory({ initial: 1, maximum, shared });
  return { imports: { env: { memory, tiles } }, maxBytes: maximum * PAGE };
}

/** What a host says when it will not compile or instantiate, with what to do about it. */
function refused(error: unknown): unknown {
  // Told by what it has: an error of another realm (Jest, an iframe) is no `Error` of this one.
  const { name, message } = Object(error) as { name?: unknown; message?: unknown };
  if (error instanceof GatefoldError || typeof message !== 'string') return error;
  let hint = '';
  if (/CSP|Security Policy|unsafe-eval/.test(message)) {
    hint = ": add 'wasm-unsafe-eval' to script-src in the Content-Security-Policy";
  } else if (name === 'CompileError') {
    hint =
      ": it may lack WebAssembly SIMD, forbid compiling (a page allows 'wasm-unsafe-eval'; in Workers " +
      'import the .wasm file and give it as "module"), or the bytes are not a gatefold module';
  }
  return new GatefoldError('ERR_UNSUPPORTED', `this host refuses the kernels (${message})${hint}`);
}
