/** The peers in the order of the table's columns; the first is ourselves. */
export const PEER_NAMES = [
  'gatefold',
  'gatefold-float32',
  'onnxruntime-web',
  'onnxruntime-node',
  'tfjs-wasm',
];

/**
 * A peer is a module `peers/NAME.mjs` that exports - `name` and `version`; - `lacks(case)`: what it
 * has not of that case in a few words, or undefined; - `prepare(case, data)`: `{ run, result,
 * dispose }`, or a promise of it. `run()` is what is timed (it is awaited when it gives a
 *   promise), `result()` gives the numbers of the last run for the comparison.
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
      if (name === PEER_NAMES[0]) throw error;
      unavailable[name] = error.message.split('\n')[0];
    }
  }
  return { peers, unavailable };
}
