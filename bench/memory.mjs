/**
 * The most memory that one peer takes for one case in a process of its own, beyond Node and the
 * data of the case, in MB; `-` where it lacks something: `node memory.mjs PEER CASE`. Linux only.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cases } from './cases.mjs';
import { createData } from './harness.mjs';
import { loadPeers } from './peers.mjs';

const CALLS = 3;

const [, , peerName, id] = process.argv;
const benchCase = cases.find((one) => one.id === id);

const kilobytes = (key) =>
  Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))[1]);

const data = createData(benchCase);
// From here on the high-water mark counts anew.
writeFileSync('/proc/self/clear_refs', '5');
const before = kilobytes('VmRSS');
const [peer] = (await loadPeers([peerName])).peers;
if (!peer || peer.lacks(benchCase)) {
  console.log('-');
} else {
  const { run } = await peer.prepare(benchCase, data);
  for (let call = 0; call < CALLS; call++) await run();
  console.log(((kilobytes('VmHWM') - before) / 1024).toFixed(0));
}
process.exit(0);
