/** One process of the bench: every case that it is told, all peers in turn, results by message. */
import { enableFastLane } from '../dist/node.js';
import { createData, largestError, timeRound, warmUp } from './harness.mjs';
import { cases } from './cases.mjs';
import { loadPeers } from './peers.mjs';
import { measureRoofline } from './roofline.mjs';

/** Outputs are compared over a few calls, so that the state carried from one to the next is too. */
const COMPARED_CALLS = 3;

/**
 * Relative to the largest output. Peers approximate tanh and sigmoid, weights of 8 bits the model. In training only losses are
 * compared, and peers with one bias where we have two take a smaller step: the exact comparison is
 * in `test/peers`.
 */
const TOLERANCE = {
  step: 1e-5,
  sequence: 1e-5,
  batch: 1e-5,
  stack: 1e-5,
  int8: 2e-2,
  training: 1e-3,
};

async function outputsOf({ run, result }) {
  const outputs = [];
  for (let call = 0; call < COMPARED_CALLS; call++) {
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
    const lacking = benchCase.kind === 'product' && !isOurs ? '-' : peer.lacks(benchCase);
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
    const error = Math.max(...outputs.map((output, i) => largestError(output, expected[i])));
    if (!isOurs && !(error <= TOLERANCE[benchCase.kind])) {
      throw new Error(`${benchCase.id}: ${peer.name} is ${error} away from ${peers[0].name}`);
    }
    contenders.push({ name: peer.name, prepared });
  }
  return { contenders, notes };
}

async function runCase(benchCase, peers, { rounds, roundMs, warmUpMs }) {
  const { contenders, notes } = await preparePeers(benchCase, peers);
  for (const contender of contenders) {
    contender.warm = await warmUp(contender.prepared.run, warmUpMs);
  }
  const times = Object.fromEntries(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // Each round starts with another one, so that nobody is always the one after a certain
    // neighbour.
    for (let i = 0; i < contenders.length; i++) {
      const { name, warm } = contenders[(i + round) % contenders.length];
      times[name].push(await timeRound(warm, roundMs));
    }
  }
  for (const { prepared } of contenders) await prepared.dispose();
  return { id: benchCase.id, times, notes };
}

process.on('message', async ({ ids, peerNames, timing, isFast, probes }) => {
  if (isFast) enableFastLane();
  const { peers, unavailable } = await loadPeers(peerNames);
  process.send({
    roofline: probes ? measureRoofline() : undefined,
    versions: Object.fromEntries(peers.map((peer) => [peer.name, peer.version])),
    unavailable,
  });
  for (const benchCase of cases.filter(({ id }) => ids.includes(id))) {
    process.send({ result: await runCase(benchCase, peers, timing) });
  }
  process.disconnect();
});
