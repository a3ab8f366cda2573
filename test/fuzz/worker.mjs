// Runs inputs from a number on, and says through shared memory which one it is at, for the watchdog
// of run.mjs.
import { parentPort, workerData } from 'node:worker_threads';
import { Inputs, Tally, corpusOf, randomOf } from './campaign.mjs';

const { reader, from, count, progress, replay } = workerData;
const state = new Int32Array(progress);
const inputs = await Inputs.create(reader);
const tally = new Tally();
const mark = (number) => {
  Atomics.store(state, 0, number);
  Atomics.add(state, 1, 1);
};
if (replay) {
  for (const [name, bytes] of corpusOf(reader)) {
    mark(-1);
    tally.add(name, await inputs.read(bytes, randomOf(0)));
  }
  parentPort.postMessage({ kind: 'replayed', tally });
}
const own = new Tally();
const BATCH = 256;
for (let number = from; number < from + count; number++) {
  mark(number);
  own.add(number, await inputs.read(inputs.bytes(number), randomOf(number ^ 0x55555555)));
  if ((number - from + 1) % BATCH === 0) {
    parentPort.postMessage({ kind: 'part', tally: { ...own }, next: number + 1 });
    Object.assign(own, new Tally());
  }
}
parentPort.postMessage({ kind: 'part', tally: { ...own }, next: from + count });
parentPort.postMessage({ kind: 'done' });
