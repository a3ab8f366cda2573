import { Kernels as PlainKernels } from '../../../src/engine/kernels.ts';
import type { KernelImports } from '../../../src/engine/imports.ts';
import { watch, zonesOf } from './zones.ts';

export * from '../../../src/engine/kernels.ts';

/** Kernels after every call of which the gaps are looked at. */
export class Kernels extends PlainKernels {
  constructor(instance: WebAssembly.Instance, imports: KernelImports, maxBytes: number) {
    super({ exports: watched(instance.exports, imports.env.memory) }, imports, maxBytes);
  }
}

function watched(
  exports: WebAssembly.Exports,
  memory: WebAssembly.Memory,
): Record<string, WebAssembly.ExportValue> {
  const calls = Object.entries(exports).map(([name, value]) => {
    if (typeof value !== 'function') return [name, value] as const;
    const kernel = value as (...args: number[]) => number;
    const call = (...args: number[]): number => {
      const result = kernel(...args);
      if (watch.isQuiet) return result;
      watch.calls++;
      zonesOf(memory).check(name);
      return result;
    };
    return [name, call] as const;
  });
  return Object.fromEntries(calls);
}
