import { Worker } from 'node:worker_threads';
import { vi } from 'vitest';
import { wasmBytes } from '../../src/hosts/default.ts';
import { TeamEngine } from '../../src/threads/engine.ts';
import type { TeamOptions } from '../../src/threads/team.ts';
import type { Variant } from './engines.ts';

const packaged = new URL('../../dist/threads/worker.js', import.meta.url);

/** The worker as the package has it: Node cannot run its source. */
export const createWorker = (): Worker => new Worker(packaged);

/** An engine that shares out every call, however small, to exactly so many threads. */
export async function startThreads(
  variant: Variant,
  threads: number,
  options: Partial<TeamOptions> = {},
  worker: () => Worker = createWorker,
): Promise<TeamEngine> {
  const module = wasmBytes({ simd: variant === 'baseline' ? 'deterministic' : 'auto' });
  const workers = [{ from: 'a test', create: worker }];
  const engine = await TeamEngine.start({ module }, threads, workers, { least: 0, ...options });
  if (engine.threads !== threads || engine.variant !== variant)
    throw new Error(
      `got ${engine.threads} threads of ${engine.variant} SIMD: ${engine.threadsReason}`,
    );
  return engine;
}

/** What befalls a thread at one of its kernel calls. */
export interface Fault {
  /** Counted among all its calls, or those of one phase. */
  readonly nth: number;
  readonly phase?: string;
  readonly what: 'throw' | 'exit before' | 'exit after' | 'hang' | 'nothing';
  /** Before every call. */
  readonly delayMs?: number;
}

/**
 * Kernels with a fault; `seen` is told every call's phase. A worker runs the text of this: it
 * refers to nothing outside.
 */
function withFault<T extends object>(exports: T, fault: Fault, seen: (phase: string) => void): T {
  /** Which argument says what phase it is. */
  const phases: Readonly<Record<string, number | undefined>> = {
    part_run: 0,
    part_steps: 1,
    part_units: undefined,
    rows_gather: undefined,
    rows_add_gathered: undefined,
  };
  const word = new Int32Array(new SharedArrayBuffer(4));
  let count = 0;
  const wrap = (name: string, kernel: (...args: unknown[]) => unknown) => {
    return (...args: unknown[]): unknown => {
      const phase = [name, ...(phases[name] === undefined ? [] : [args[phases[name]]])].join(' ');
      seen(phase);
      if (fault.delayMs) Atomics.wait(word, 0, 0, fault.delayMs);
      if ((fault.phase ?? phase) !== phase || ++count !== fault.nth) return kernel(...args);
      if (fault.what === 'throw') throw new WebAssembly.RuntimeError('unreachable');
      if (fault.what === 'hang') Atomics.wait(word, 0, 0);
      if (fault.what === 'exit before') process.exit();
      const result = kernel(...args);
      if (fault.what === 'exit after') process.exit();
      return result;
    };
  };
  const entries = Object.entries(exports).map(([name, value]) => [
    name,
    name in phases ? wrap(name, value) : value,
  ]);
  return Object.fromEntries(entries) as T;
}

/** The package's worker, whose kernels have a fault. */
export function createFaultyWorker(fault: Fault): Worker {
  const program = `
    const { Instance } = WebAssembly;
    WebAssembly.Instance = function (module, imports) {
      const { exports } = new Instance(module, imports);
      return { exports: (${withFault})(exports, ${JSON.stringify(fault)}, () => undefined) };
    };
    import(${JSON.stringify(packaged.href)});`;
  return new Worker(program, { eval: true });
}

/** Lets the kernels that are instantiated meanwhile have a fault. */
export async function withFaultyKernels<T>(
  fault: Fault,
  seen: (phase: string) => void,
  during: () => Promise<T>,
): Promise<T> {
  const { instantiate } = WebAssembly;
  const spy = vi.spyOn(WebAssembly, 'instantiate');
  spy.mockImplementation((async (bytes: BufferSource, imports: WebAssembly.Imports) => {
    const { instance, module } = await instantiate(bytes, imports);
    return { module, instance: { exports: withFault(instance.exports, fault, seen) } };
  }) as never);
  try {
    return await during();
  } finally {
    spy.mockRestore();
  }
}
