/** What the kernels import. */
export interface KernelImports {
  readonly env: {
    /** A shared one is taken by other threads of the process as it is. */
    readonly memory: WebAssembly.Memory;
    /** 1 where products run in tiles for vectors of 256 bits. */
    readonly wide: 0 | 1;
  };
}
