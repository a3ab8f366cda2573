import { checkInteger } from '../base/check.ts';
import { asBytes } from '../formats/shared/bytes.ts';
import { DEFAULT_MAX_BYTES, kernelsFor } from '../hosts/wasm/inline.ts';
import type { Opening } from './protocol.ts';
import { WORKER_TEXT } from './worker-text.ts';

/** What the options of a worker and of a node have in common. */
export interface ProgramOptions {
  /** As of `Engine.create`. */
  readonly simd?: 'auto' | 'deterministic';
  /** Most bytes of the engine there; default 256 MiB. */
  readonly maxBytes?: number;
  /**
   * Where the page serves `gatefold/browser/worker`; default: the program inside of this package.
   */
  readonly program?: string | URL;
}

/** What the other side is sent to run a model. */
export function openingOf(bytes: unknown, { simd, maxBytes }: ProgramOptions): Opening {
  return {
    model: asBytes(bytes),
    module: kernelsFor(simd === undefined ? {} : { simd }),
    maxBytes: checkInteger('maxBytes', maxBytes ?? DEFAULT_MAX_BYTES, 1, 2 ** 32),
  };
}

/** Made once, for an address of a blob is taken until the page ends. */
let address: string | undefined;

/** The worker's program as text: no bundler has to find it. */
export function textAddress(): string {
  address ??= URL.createObjectURL(new Blob([WORKER_TEXT], { type: 'text/javascript' }));
  return address;
}

/** The same as a file beside the entries in dist/. Bundlers look for this form, and copy it. */
export function fileAddress(): URL {
  return new URL('./browser/worker.js', import.meta.url);
}

/** What a page has to do where neither the text nor the file may run. */
export const FIX: string =
  'let the Content-Security-Policy of the page allow blob: in worker-src and script-src, or serve ' +
  'gatefold/browser/worker yourself and give its address as "program"';
