/** The baseline kernels alone, carried inside: for pages that fetch less, with the same bits. */

import { BASELINE } from '../../engine/generated/baseline-bytes.ts';
import { mayRelax } from './options.ts';
import type { EngineOptions } from './options.ts';
import { decodeBytes } from './text.ts';

export { DEFAULT_MAX_BYTES } from '../../engine/engine.ts';

export function kernelsFor(options: EngineOptions): Uint8Array<ArrayBuffer> {
  mayRelax(options);
  return decodeBytes(BASELINE);
}
