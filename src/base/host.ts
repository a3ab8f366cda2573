/**
 * `WebAssembly.Module` in programs whose `lib` declares it, as that of "dom" does. Others have
 * modules from an import or from the host, of whatever type that gives them.
 */
export type WasmModule = typeof globalThis extends {
  WebAssembly: { Module: { prototype: infer Module } };
}
  ? Module
  : object;
