/** What the kernels import. */
export interface KernelImports {
  readonly env: { readonly memory: WebAssembly.Memory; readonly wide: number };
}

/** 1 where V8 joins neighbouring vectors of this process to 256 bits. */
let wide = 0;

/**
 * From here on, kernels multiply in tiles for vectors of 256 bits. Elsewhere these would not fit
 * into the registers.
 */
export function widen(): void {
  wide = 1;
}

/** Imports over a memory; with a shared one, other threads of the process take them as they are. */
export function importsOf(memory: WebAssembly.Memory): KernelImports {
  return { env: { memory, wide } };
}
