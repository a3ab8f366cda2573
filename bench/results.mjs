/**
 * The page `RESULTS.md` and its chart, out of what the bench has measured: written by the bench,
 * never by hand.
 */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { OURS } from './cases.mjs';
import { duration, formatRoofline, spread } from './report.mjs';

const times = (value) => `${value.toFixed(2)}x`;
const percent = (value) => `${(100 * value).toFixed(0)} %`;
const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;

/**
 * What the project means to reach: [what, against, at least, how the figure follows from the
 * report].
 */
const REACH = [
  ...each('onnxruntime-web', [['lstm/step/n1-t1-i64-h64', 12]]),
  ...each('onnxruntime-node', [['lstm/step/n1-t1-i64-h64', 6]]),
  ...each('onnxruntime-web', [
    ['lstm/sequence/n1-t100-i64-h64', 2.2],
    ['lstm/sequence/n1-t100-i128-h256', 1.6],
    ['lstm/sequence/n1-t100-i512-h512', 1.4],
    ['lstm/sequence/n1-t100-i1024-h1024', 1.4],
    ['lstm/batch/n32-t100-i64-h128', 1.7],
    ['lstm/batch/n32-t100-i256-h512', 1.5],
  ]),
  ...each('onnxruntime-node', [
    ['lstm/sequence/n1-t100-i64-h64', 1],
    ['lstm/sequence/n1-t100-i128-h256', 0.9],
    ['lstm/sequence/n1-t100-i512-h512', 0.9],
    ['lstm/sequence/n1-t100-i1024-h1024', 0.9],
    ['lstm/batch/n32-t100-i64-h128', 0.5],
    ['lstm/batch/n32-t100-i256-h512', 0.5],
  ]),
  ...fast('onnxruntime-web', [
    ['lstm/batch/n32-t100-i64-h128', 2.2],
    ['lstm/batch/n32-t100-i256-h512', 2],
  ]),
  ...fast('onnxruntime-node', [
    ['lstm/batch/n32-t100-i64-h128', 0.75],
    ['lstm/batch/n32-t100-i256-h512', 0.75],
  ]),
  ...each('onnxruntime-node', [
    ['lstm/int8/n1-t100-i1024-h1024', 3],
    ['lstm/int8/n1-t100-i2048-h2048', 3],
  ]),
  ...each('gatefold-float32', [
    ['lstm/int8/n1-t100-i1024-h1024', 3],
    ['lstm/int8/n1-t100-i2048-h2048', 3],
  ]),
  ...each('tfjs-wasm', [
    ['lstm/training/n1-t100-i64-h64', 150],
    ['lstm/training/n32-t50-i64-h128', 15],
  ]),
  ...each('brain.js', [['lstm/training/n1-t50-i16-h64', 25]]),
  ...each('pytorch', [
    ['lstm/training/n1-t100-i64-h64', 8],
    ['lstm/training/n32-t50-i64-h128', 0.8],
  ]),
  share('product/n512-i512-o512', 0.93),
  share('lstm/batch/n32-t100-i256-h512', 0.8),
  share('lstm/training/n32-t50-i256-h512', 0.7),
];

function each(peer, rows) {
  return rows.map(([id, least]) => [id, peer, least, (of) => of(id)?.peers[peer]?.ratio]);
}

/** Their time by ours in the fast lane. */
function fast(peer, rows) {
  const ratio = ({ peers }) => peers[peer]?.ms / peers['gatefold-fast']?.ms;
  return rows.map(([id, least]) => [
    `${id}, fast lane`,
    peer,
    least,
    (of) => of(id) && ratio(of(id)),
  ]);
}

function share(id, least) {
  return [id, 'fused multiply-add probe', least, (of) => of(id)?.roofline, percent];
}

function table(header, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map((_, k) => (k ? '---:' : '---'))), ...rows.map(line)].join(
    '\n',
  );
}

function verdict(value, least, show) {
  if (!Number.isFinite(value)) return ['not measured', ''];
  return [show(value), value >= least ? 'yes' : 'no'];
}

function reachRows(report) {
  const of = (id) => report.cases.find((entry) => entry.id === id);
  const rows = REACH.map(([what, against, least, figure, show = times]) => [
    what,
    against,
    show(least),
    ...verdict(figure(of), least, show),
  ]);
  const { cold, download, threads } = report.extras;
  // Half of what twice as many steps take.
  const forward = of('lstm/batch/n32-t100-i256-h512')?.ours.ms / 2;
  const ratio = of('lstm/training/n32-t50-i256-h512')?.ours.ms / forward;
  rows.push([
    'training / forward, N=32 T=50 256/512',
    'ourselves',
    'at most 3.2x',
    Number.isFinite(ratio) ? times(ratio) : 'not measured',
    Number.isFinite(ratio) ? (ratio <= 3.2 ? 'yes' : 'no') : '',
  ]);
  const [first, second] = [cold[OURS], cold['onnxruntime-web']];
  const faster = second.ms / first.ms;
  rows.push(['cold start', 'onnxruntime-web', '10x', ...verdict(faster, 10, times)]);
  rows.push(['cold start', '-', '< 25 ms', duration(first.ms), first.ms < 25 ? 'yes' : 'no']);
  const [both, , one] = Object.values(download);
  rows.push([
    'default entry, gzip',
    '-',
    '<= 60 KB',
    kilobytes(both),
    both <= 61440 ? 'yes' : 'no',
  ]);
  rows.push([
    'core, one variant, gzip',
    '-',
    '<= 40 KB',
    kilobytes(one),
    one <= 40960 ? 'yes' : 'no',
  ]);
  for (const line of threads.filter((text) => text.includes('training'))) {
    const found = /ratio\s+([\d.]+)/.exec(line);
    if (!found) continue;
    const value = Number(found[1]);
    rows.push([
      `2 threads: ${line.split('  ')[0]}`,
      'ourselves on 1',
      '1.80x',
      ...verdict(value, 1.8, times),
    ]);
  }
  return rows;
}

function caseRows({ cases }, peers) {
  return cases.map((entry) => [
    `\`${entry.id}\``,
    `${duration(entry.ours.ms)} ${spread(entry.ours)}`,
    entry.ours.gflops.toFixed(1),
    percent(entry.roofline),
    ...peers.map((name) => {
      const peer = entry.peers[name];
      if (!peer) return entry.notes[name] ?? '';
      return `${duration(peer.ms)} ${spread(peer)}, **${times(peer.ratio)}**`;
    }),
  ]);
}

function page(report, peers, chart) {
  const { environment: machine, settings, extras } = report;
  const { cold, memory, download, growth, threads } = extras;
  const versions = Object.entries(machine.versions).map((pair) => pair.join(' '));
  const missing = Object.entries(machine.unavailable).map(
    ([name, why]) => `${name} is not available: ${why}.`,
  );
  return `# Results

Written by \`npm run bench\` on ${machine.date.slice(0, 10)}; what is measured and how is in [README.md](README.md).

${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node} (V8 ${machine.v8}), load ${machine.load.toFixed(2)} before. ${versions.join(', ')}. ${missing.join(' ')}

The probe finds ${formatRoofline(machine.roofline)}.

![How many times longer the others take](${chart})

## What the project means to reach

${table(['what', 'against', 'at least', 'measured', 'reached'], reachRows(report))}

## All cases

Medians of ${settings.rounds} rounds in each of ${settings.processes} processes, +- half the distance of the quartiles; bold: their time by ours. \`gatefold-fast\` is ourselves after \`enableFastLane()\`; brain.js computes something else, its LSTM has no cell state.

${table(['case', OURS, 'GFLOP/s', 'of the probe', ...peers], caseRows(report, peers))}

## Cold start, memory, download

From the first import to the first output of 100 steps of an LSTM of 64/64, and the most memory of the process; medians of fresh processes.

${table(
  ['', 'first output', 'memory'],
  Object.entries(cold).map(([name, { ms, megabytes }]) => [
    name,
    duration(ms),
    `${megabytes.toFixed(0)} MB`,
  ]),
)}

The most memory that each takes in a process of its own, beyond Node and the data of the case, in MB:

${table(['', ...memory.peers], memory.rows)}

${table(
  ['gzipped', ''],
  Object.entries(download).map(([name, bytes]) => [name, kilobytes(bytes)]),
)}

## Threads

\`\`\`
${threads.join('\n')}
\`\`\`

## How time grows

Exponents of a power law through the medians: of the steps at N=1 64/64, of the batch at T=50 128/128, of the units at N=24 T=20.

${table(
  ['', 'exponent', 'points'],
  Object.entries(growth).map(([name, { points, exponent }]) => [
    name,
    exponent.toFixed(2),
    points.map(([x, ms]) => `${x}: ${duration(ms)}`).join(', '),
  ]),
)}
`;
}

const COLOURS = [
  '#4269d0',
  '#efb118',
  '#ff725c',
  '#6cc5b0',
  '#3ca951',
  '#ff8ab7',
  '#a463f2',
  '#97bbf5',
  '#9c6b4e',
  '#333333',
];

/** Bars of the ratios on a logarithmic scale, a group a case of the LSTM. */
function drawRatios({ cases }, peers) {
  const shown = cases.filter(
    ({ id, peers: own }) => id.startsWith('lstm/') && Object.keys(own).length,
  );
  const [left, top, bar, gap, width] = [260, 50, 9, 10, 560];
  const [low, high] = [Math.log10(0.1), Math.log10(1000)];
  const at = (ratio) =>
    left + (width * (Math.min(Math.max(Math.log10(ratio), low), high) - low)) / (high - low);
  const text = (x, y, content, more = '') => `<text x="${x}" y="${y}" ${more}>${content}</text>`;
  const marks = [];
  let y = top;
  for (const { id, peers: own } of shown) {
    const names = peers.filter((name) => own[name]);
    marks.push(text(left - 8, y + (names.length * bar) / 2 + 4, id, 'text-anchor="end"'));
    for (const name of names) {
      const { ratio } = own[name];
      const [from, to] = [Math.min(at(1), at(ratio)), Math.max(at(1), at(ratio))];
      const colour = COLOURS[peers.indexOf(name) % COLOURS.length];
      marks.push(
        `<rect x="${from}" y="${y}" width="${Math.max(to - from, 1)}" height="${bar - 1}" fill="${colour}"/>`,
      );
      marks.push(text(to + 4, y + bar - 1.5, times(ratio), 'font-size="8"'));
      y += bar;
    }
    y += gap;
  }
  const grid = [0.1, 1, 10, 100, 1000].map(
    (ratio) =>
      `<line x1="${at(ratio)}" x2="${at(ratio)}" y1="${top - 6}" y2="${y}" stroke="${ratio === 1 ? '#333' : '#ddd'}"/>` +
      text(at(ratio), top - 10, `${ratio}x`, 'text-anchor="middle"'),
  );
  const legend = peers.map((name, k) => {
    const x = 10 + (k % 4) * 215;
    const row = y + 12 + Math.floor(k / 4) * 16;
    return `<rect x="${x}" y="${row - 9}" width="10" height="10" fill="${COLOURS[k % COLOURS.length]}"/>${text(x + 14, row, name)}`;
  });
  const height = y + 50;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 ${height}" font-family="sans-serif" font-size="11">` +
    `<rect width="880" height="${height}" fill="#fff"/>` +
    text(
      10,
      20,
      'Time of the others by ours, LSTM; to the right of 1x they take longer',
      'font-size="14"',
    ) +
    `${grid.join('')}${marks.join('')}${legend.join('')}</svg>\n`
  );
}

/** Writes the page, and its chart beside it under the same name. */
export function writeResults(path, report, peers) {
  const chart = path.replace(/\.md$/, '') + '.svg';
  writeFileSync(chart, drawRatios(report, peers));
  writeFileSync(path, page(report, peers, basename(chart)));
}
