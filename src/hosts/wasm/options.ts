import { checkChoice, checkKeys } from '../../base/check.ts';

/** What an entry that brings the kernels lets a caller choose. */
export interface EngineOptions {
  /**
   * `auto` (default) takes relaxed SIMD, whose fused products are faster, where the host has it.
   * `deterministic` never does: its results are the same bits on every machine.
   */
  readonly simd?: 'auto' | 'deterministic';
  /** Most bytes of linear memory. */
  readonly maxBytes?: number;
  /** Whether products run in tiles for vectors of 256 bits, after `enableFastLane()` of Node. */
  readonly wide?: boolean;
}

/** Whether these options leave the choice to the host. */
export function mayRelax(options: EngineOptions): boolean {
  checkKeys('options', options, ['simd', 'maxBytes', 'wide']);
  return checkChoice('simd', options.simd ?? 'auto', ['auto', 'deterministic']) === 'auto';
}
