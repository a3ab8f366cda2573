// The whole public face, entry by entry, and what the campaign looks at beside it.
export * as core from '../../src/hosts/core.ts';
export * as data from '../../src/data/index.ts';
export * as kernels from '../../src/kernels/index.ts';
export * as main from '../../src/hosts/default.ts';
export * as pytorch from '../../src/formats/pytorch.ts';
export * as safetensors from '../../src/formats/safetensors.ts';
export * as threads from '../../src/threads/index.ts';
export { kernelsOf } from '../../src/engine/engine.ts';
export { storeOf } from '../../src/model/model.ts';
export { watch, zonesOf } from './guarded/zones.ts';
