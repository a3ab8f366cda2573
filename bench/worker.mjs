/** One process of the bench: every case that it is told, all peers in turn, results by message. */
import { cases } from './cases.mjs';
import { runCase } from './contest.mjs';
import { loadPeers } from './peers.mjs';
import { openOtherBuild } from './peers/other-build.mjs';
import { measureRoofline } from './roofline.mjs';

process.on('message', async ({ ids, peerNames, against, timing, probes }) => {
  const { peers, unavailable } = await loadPeers(peerNames);
  if (against) peers.push(await openOtherBuild(against));
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
