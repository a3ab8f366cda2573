/** The figures as a table for people and as JSON for programs. */
import { pairedRatio, summarise } from './harness.mjs';

/** Results of all processes, as `worker.mjs` sent them, to one entry a case. */
export function mergeResults(cases, results, ours) {
  return cases.flatMap(({ id, flops }) => {
    const runs = results.filter((result) => result.id === id);
    if (runs.length === 0) return [];
    const timesOf = (name) => runs.flatMap(({ times }) => times[name] ?? []);
    const ourTimes = timesOf(ours);
    const summary = summarise(ourTimes);
    const peers = {};
    for (const name of Object.keys(runs[0].times).filter((peer) => peer !== ours)) {
      const times = timesOf(name);
      peers[name] = { ...summarise(times), ratio: pairedRatio(times, ourTimes) };
    }
    return [
      { id, ours: { ...summary, gflops: flops / summary.ms / 1e6 }, peers, notes: runs[0].notes },
    ];
  });
}

function duration(ms) {
  if (ms < 0.1) return `${(ms * 1e3).toPrecision(3)} us`;
  return ms < 1e3 ? `${ms.toPrecision(3)} ms` : `${(ms / 1e3).toPrecision(3)} s`;
}

/** Half the distance of the quartiles, as a share of the median. */
function spread({ ms, q1, q3 }) {
  return `+-${((50 * (q3 - q1)) / ms).toFixed(0)} %`;
}

/** Columns as wide as their longest cell; the first to the left, figures to the right. */
function lineUp(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]),
      )
      .join('  '),
  );
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '));
  return lines.join('\n');
}

export function formatTable(entries, peerNames, ours) {
  const others = peerNames.filter((name) => name !== ours);
  const header = ['case', ours, '', 'GFLOP/s', ...others.flatMap((name) => [name, '', 'ratio'])];
  const rows = entries.map((entry) => [
    entry.id,
    duration(entry.ours.ms),
    spread(entry.ours),
    entry.ours.gflops.toFixed(1),
    ...others.flatMap((name) => {
      const peer = entry.peers[name];
      if (!peer) return [entry.notes[name] ?? 'not available', '', ''];
      return [duration(peer.ms), spread(peer), `${peer.ratio.toFixed(2)}x`];
    }),
  ]);
  return lineUp([header, ...rows]);
}

export function formatEnvironment({ cpu, cores, platform, node, v8, load, versions, unavailable }) {
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${cpu}, ${cores} cores, ${platform}, Node ${node} (V8 ${v8}), load ${load.toFixed(2)} before`,
    packages.join(', '),
    ...Object.entries(unavailable).map(([name, reason]) => `${name} is not available: ${reason}`),
  ].join('\n');
}
