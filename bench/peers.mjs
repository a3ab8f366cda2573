import { OURS } from './cases.mjs';

/**
 * What is timed together, in one process. Backends and numbers of threads are global in some
 * packages: those stand apart, with us among them again. What sets flags of V8, which are global
 * too, is alone.
 */
export const WORLDS = [
  {
    peers: [
      'gatefold-float32',
      'onnxruntime-web',
      'onnxruntime-node',
      'onnxruntime-node-2',
      'tfjs-wasm',
      'brain.js',
      'pytorch',
    ],
  },
  { peers: ['onnxruntime-web-2', 'tfjs-cpu'] },
  { peers: ['gatefold-fast'], isAlone: true },
];

/** In the order of the table's columns. */
export const PEER_NAMES = WORLDS.flatMap(({ peers }) => peers);

/**
 * A peer is a module `peers/NAME.mjs` that exports
 * - `name` and `version`;
 * - `lacks(case)`: what it has not of that case in a few words, or undefined;
 * - `prepare(case, data)`: `{ run, result, dispose }`, or a promise of it;
 * - `isComparable`: false where it computes something else.
 *
 * `run()` is what is timed; it is awaited when it gives a promise. Where `prepare` gives
 * `timeRound(ms)` too, that is asked instead for the median of a call, as of a peer in a process of
 * its own. `result()` gives the numbers of the last run for the comparison.
 *
 * One that cannot be loaded here, such as a native package on a platform it has no binary for, is
 * left out and named.
 */
export async function loadPeers(names) {
  const peers = [];
  const unavailable = {};
  for (const name of names) {
    try {
      peers.push(await import(`./peers/${name}.mjs`));
    } catch (error) {
      if (name === OURS) throw error;
      unavailable[name] = error.message.split('\n')[0];
    }
  }
  return { peers, unavailable };
}
