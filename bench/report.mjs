/** The figures as a table for people and as JSON for programs. */
import { pairedRatio, summarise } from './harness.mjs';
import { OTHER, OURS } from './cases.mjs';

/** Results of all processes, as `worker.mjs` sent them, to one entry a case. */
export function mergeResults(cases, results, roofline) {
  return cases.flatMap(({ id, flops }) => {
    const runs = results.filter((result) => result.id === id);
    const ourRuns = runs.filter(({ times }) => times[OURS]);
    if (ourRuns.length === 0) return [];
    const summary = summarise(ourRuns.flatMap(({ times }) => times[OURS]));
    const names = new Set(runs.flatMap(({ times }) => Object.keys(times)));
    names.delete(OURS);
    const peers = {};
    for (const name of names) {
      const timed = runs.filter(({ times }) => times[name]);
      const times = timed.flatMap((run) => run.times[name]);
      const beside = timed.flatMap((run) => run.times[OURS] ?? []);
      const theirs = summarise(times);
      // By rounds where we were in the same process.
      const ratio = beside.length ? pairedRatio(times, beside) : theirs.ms / summary.ms;
      peers[name] = { ...theirs, ratio };
    }
    const gflops = flops / summary.ms / 1e6;
    const share = roofline ? gflops / roofline.fusedMultiplyAdd : undefined;
    const notes = Object.assign({}, ...runs.map((run) => run.notes));
    return [{ id, ours: { ...summary, gflops }, roofline: share, peers, notes }];
  });
}

export function duration(ms) {
  if (ms < 0.1) return `${(ms * 1e3).toPrecision(3)} us`;
  return ms < 1e3 ? `${ms.toPrecision(3)} ms` : `${(ms / 1e3).toPrecision(3)} s`;
}

/** Half the distance of the quartiles, as a share of the median. */
export function spread({ ms, q1, q3 }) {
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

export function formatTable(entries, others) {
  const header = ['case', OURS, '', 'GFLOP/s', ...others.flatMap((name) => [name, '', 'ratio'])];
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

/** Geometric mean of the ratios of another build; NaN where it has no case. */
export function meanRatio(entries) {
  const logs = entries.flatMap(({ peers }) => (peers[OTHER] ? [Math.log(peers[OTHER].ratio)] : []));
  return Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}

/** Their time by ours in words: how much longer the slower one takes. */
function inWords(ratio) {
  const percent = 100 * (Math.max(ratio, 1 / ratio) - 1);
  if (percent < 0.5) return 'as fast';
  return `${percent.toFixed(0)} % ${ratio > 1 ? 'faster' : 'slower'} here`;
}

const ratioCells = (ratio) => [`${ratio.toFixed(3)}x`, inWords(ratio)];

/** Against another build: medians, and the time there by the time here. */
export function formatAgainst(entries) {
  const header = ['case', 'here', '', 'there', '', 'there / here', ''];
  const rows = entries.map(({ id, ours, peers, notes }) => {
    const cells = [id, duration(ours.ms), spread(ours)];
    const other = peers[OTHER];
    if (!other) return [...cells, notes[OTHER], '', '', ''];
    return [...cells, duration(other.ms), spread(other), ...ratioCells(other.ratio)];
  });
  const mean = ['geometric mean', '', '', '', '', ...ratioCells(meanRatio(entries))];
  return lineUp([header, ...rows, mean]);
}

export function formatEnvironment(machine) {
  const { cpu, cores, platform, node, v8, load, versions, unavailable, roofline } = machine;
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${cpu}, ${cores} cores, ${platform}, Node ${node} (V8 ${v8}), load ${load.toFixed(2)} before`,
    packages.join(', '),
    ...(roofline ? [formatRoofline(roofline)] : []),
    ...Object.entries(unavailable).map(([name, reason]) => `${name} is not available: ${reason}`),
  ].join('\n');
}

/** What the probe found. */
export function formatRoofline({ multiplyAdd, fusedMultiplyAdd, dot8, level1, level2, beyond }) {
  return (
    `one thread at most: ${multiplyAdd.toFixed(0)} GFLOP/s of products and sums, ${fusedMultiplyAdd.toFixed(0)} fused, ` +
    `${dot8.toFixed(0)} GOP/s of 8 bits; ${level1.toFixed(0)} GB/s from the first-level cache, ` +
    `${level2.toFixed(0)} from the second, ${beyond.toFixed(0)} from beyond`
  );
}
