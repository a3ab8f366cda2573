/** What the threads of a team agree on: words of shared memory beside that of the kernels. */

/** Rises by one with every call that is shared out. */
export const ROUND = 0;
/** Its value when there will be no other. */
export const END: number = -1;
/** Workers that have not ended their share. */
export const PENDING = 1;
/** Workers that wait for a round without spinning. */
export const ASLEEP = 2;
/** The call. */
export const PHASE = 3;
export const DESCRIPTOR = 4;
export const SCRATCH = 5;
export const SHARES = 6;
/** Characters of what a worker says that has failed, and behind it they themselves. */
export const FAILURE = 7;
export const MAX_FAILURE = 200;
export const WORDS: number = FAILURE + 1 + MAX_FAILURE;

/** What a worker is told to begin with. */
export interface Task {
  /** The kernels, for shared memory. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly memory: WebAssembly.Memory;
  readonly control: Int32Array;
  readonly share: number;
}

const { pause } = Atomics as { pause?: () => void };

/** Looks at a word until it is no longer `value`; false where that takes longer than about `patience` milliseconds. */
export function spin(control: Int32Array, word: number, value: number, patience: number): boolean {
  for (let left = patience * (pause ? 20_000 : 500_000); left > 0; left--) {
    if (Atomics.load(control, word) !== value) return true;
    pause?.();
  }
  return false;
}
