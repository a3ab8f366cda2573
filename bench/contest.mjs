/**
 * One case: all peers prepared, compared with us, warmed up and timed in turn. Runs in Node and in
 * pages.
 */
import { createData, largestError, timeRound, warmUp } from './harness.mjs';

/** Outputs are compared over a few calls, so that the state carried from one to the next is too. */
const COMPARED_CALLS = 3;
/** Calls that take seconds are compared once. */
const COMPARED_MS = 1000;

/**
 * Relative to the largest output. Peers approximate tanh and sigmoid, weights of 8 bits the model.
 * In training only losses are compared, and peers with one bias where we have two take a smaller
 * step: the exact comparison is in `test/peers`.
 */
const TOLERANCE = {
  step: 1e-5,
  stream: 1e-5,
  sequence: 1e-5,
  batch: 1e-5,
  ragged: 1e-5,
  stack: 1e-5,
  int8: 2e-2,
  training: 1e-3,
  'ragged-training': 1e-3,
  product: 1e-5,
};

async function outputsOf({ run, result }) {
  const outputs = [];
  const start = performance.now();
  while (outputs.length < COMPARED_CALLS && performance.now() - start < COMPARED_MS) {
    await run();
    outputs.push(Float32Array.from(result()));
  }
  return outputs;
}

/**
 * The peers of a case that compute what the first one, ourselves, computes; what stands in the way
 * of the others.
 */
async function preparePeers(benchCase, peers) {
  const data = createData(benchCase);
  const contenders = [];
  const notes = {};
  let expected;
  for (const peer of peers) {
    const isOurs = peer === peers[0];
    const lacking = isOurs ? undefined : peer.lacks(benchCase);
    if (lacking) {
      notes[peer.name] = lacking;
      continue;
    }
    const prepared = await peer.prepare(benchCase, data);
    const outputs = await outputsOf(prepared);
    expected ??= outputs;
    if (peer.isComparable === false) {
      contenders.push({ name: peer.name, prepared });
      continue;
    }
    // On a busy machine one of them may have got to more calls within the time.
    const errors = expected
      .slice(0, outputs.length)
      .map((output, i) => largestError(outputs[i], output));
    const error = Math.max(...errors);
    if (!isOurs && !(error <= TOLERANCE[benchCase.kind])) {
      throw new Error(`${benchCase.id}: ${peer.name} is ${error} away from ${peers[0].name}`);
    }
    contenders.push({ name: peer.name, prepared });
  }
  return { contenders, notes };
}

/**
 * Warms up, and gives the function that times a round: the peer's own where it runs in another
 * process.
 */
async function timer({ run, timeRound: own }, warmUpMs) {
  if (own) {
    await own(warmUpMs);
    return own;
  }
  const warm = await warmUp(run, warmUpMs);
  return (roundMs) => timeRound(warm, roundMs);
}

/**
 * `{ id, times, notes }`: milliseconds by peer and round, and what stands in the way of the others.
 */
export async function runCase(benchCase, peers, { rounds, roundMs, warmUpMs }) {
  const { contenders, notes } = await preparePeers(benchCase, peers);
  for (const contender of contenders) {
    contender.round = await timer(contender.prepared, warmUpMs);
  }
  const times = Object.fromEntries(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // Each round starts with another one, so that nobody is always the one after a certain
    // neighbour.
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + round) % contenders.length];
      times[contender.name].push(await contender.round(roundMs));
    }
  }
  for (const { prepared } of contenders) await prepared.dispose();
  return { id: benchCase.id, times, notes };
}
