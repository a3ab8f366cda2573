/**
 * Flags of V8 that make the kernels faster, for processes that may set them: Node 24 and newer on
 * x64, and Node 20.
 */

import process from 'node:process';
import { setFlagsFromString } from 'node:v8';

/**
 * Joins neighbouring vectors of 128 bits to 256; and skips the baseline compiler, in which a first
 * call would stay.
 */
const FLAGS: readonly string[] = ['--experimental-wasm-revectorize', '--no-liftoff'];

/** What the V8 of Node 20 has relaxed SIMD behind, which is finished there. */
const RELAXED: readonly string[] = ['--experimental-wasm-relaxed-simd'];
const V8_OF_NODE_20 = 11;

/** The flags, where V8 has taken them. */
function given(flags: readonly string[]): readonly string[] {
  for (const flag of flags) setFlagsFromString(flag);
  return flags;
}

/** Lets the V8 of Node 20 take relaxed SIMD, before the first engine asks for it. */
export function allowRelaxed(): void {
  if (Number.parseInt(process.versions.v8 ?? '', 10) === V8_OF_NODE_20) given(RELAXED);
}

/** What `enableFastLane` got. */
export interface FastLane {
  /** Whether this process has the fast lane. */
  readonly enabled: boolean;
  /**
   * Flags that V8 was given, for all modules that are compiled from here on; it does not tell what
   * it made of them.
   */
  readonly flags: readonly string[];
  /** Version of Node. */
  readonly node: string;
  /** Version of V8. */
  readonly v8: string;
  /** Why there is no fast lane, where there is none. */
  readonly reason?: string;
}

/**
 * Lets V8 compile kernels to vectors of 256 bits, and at once by its optimising compiler. Call it
 * before the first engine, and give the engines `wide: true` where it is enabled. It holds for all
 * of the process, other modules of WebAssembly among them. V8 calls the first of these flags
 * experimental. Results of `simd: 'deterministic'` stay the same bits.
 *
 * Node 20 has no fast lane, but relaxed SIMD behind a flag, which this entry has given it: engines
 * of `simd: 'auto'` have that. Where the host has no such flags nothing is changed, and nothing is
 * thrown.
 *
 * @example
 *   const { enabled } = enableFastLane();
 *   const engine = await Engine.create({ wide: enabled });
 */
export function enableFastLane(): FastLane {
  const { node = '', v8 = '' } = process.versions;
  const host = { enabled: false, flags: [], node, v8 };
  if (!(Number.parseInt(v8, 10) >= 13)) {
    const reason = `needs V8 13, as Node 24 has it; this is ${v8 || 'no V8'}`;
    return { ...host, reason };
  }
  if (process.arch !== 'x64')
    return { ...host, reason: `needs an x64 processor, not ${process.arch}` };
  try {
    return { ...host, enabled: true, flags: given(FLAGS) };
  } catch (error) {
    return { ...host, reason: `the host refuses its flags: ${String(error)}` };
  }
}
