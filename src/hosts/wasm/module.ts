/**
 * The type of `gatefold/wasm/*.wasm` where the host or its build step compiles the file, as that of
 * Cloudflare Workers does. No program runs this.
 */

import type { WasmModule } from '../../base/host.ts';

declare const kernels: WasmModule;
export default kernels;
export type { WasmModule };
