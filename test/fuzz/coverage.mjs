// The share of a reader's lines that inputs reach: V8 counts places of the minified bundle, and its
// source map says whose lines they are.
import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Inputs, Tally, corpusOf, randomOf } from './campaign.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Segments [line, column, source, source line] of a source map's mappings. */
function* segments(mappings) {
  let [source, sourceLine] = [0, 0];
  for (const [line, text] of mappings.split(';').entries()) {
    let column = 0;
    for (const segment of text.split(',').filter(Boolean)) {
      const fields = [];
      let [value, shift] = [0, 0];
      for (const character of segment) {
        const digit = DIGITS.indexOf(character);
        value += (digit & 31) << shift;
        shift += 5;
        if (digit & 32) continue;
        fields.push(value & 1 ? -(value >> 1) : value >> 1);
        [value, shift] = [0, 0];
      }
      column += fields[0];
      if (fields.length < 4) continue;
      source += fields[1];
      sourceLine += fields[2];
      yield [line, column, source, sourceLine];
    }
  }
}

/** Counts of the innermost range around every offset, outer ranges first. */
function countsOf(functions, length) {
  const counts = new Float64Array(length).fill(1);
  const ranges = functions.flatMap((one) => one.ranges);
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  for (const { startOffset, endOffset, count } of ranges) {
    counts.fill(count, startOffset, endOffset);
  }
  return counts;
}

/** Lines of each source with code, and whether they were reached. */
function linesOf({ url, functions }) {
  const path = fileURLToPath(url);
  const text = readFileSync(path, 'utf8');
  const map = JSON.parse(readFileSync(`${path}.map`, 'utf8'));
  const starts = [0];
  for (let k = text.indexOf('\n'); k >= 0; k = text.indexOf('\n', k + 1)) starts.push(k + 1);
  const counts = countsOf(functions, text.length);
  const lines = new Map();
  for (const [line, column, source, sourceLine] of segments(map.mappings)) {
    const file = relative(root, join(dirname(path), map.sources[source]));
    const own = lines.get(file) ?? new Map();
    lines.set(file, own);
    const isReached = counts[starts[line] + column] > 0;
    own.set(sourceLine + 1, own.get(sourceLine + 1) || isReached);
  }
  return lines;
}

export async function coverage(reader, from, count) {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const inputs = await Inputs.create(reader);
  const tally = new Tally();
  for (const [name, bytes] of corpusOf(reader)) {
    tally.add(name, await inputs.read(bytes, randomOf(0)));
  }
  for (const seed of inputs.seeds) tally.add('seed', await inputs.read(seed, randomOf(0)));
  for (let number = from; number < from + count; number++) {
    tally.add(number, await inputs.read(inputs.bytes(number), randomOf(number)));
  }
  const { result } = await session.post('Profiler.takePreciseCoverage');
  const { sources = [new RegExp(`^src/formats/${reader}(/|\\.ts$)`)] } = await import(
    `./readers/${reader}.mjs`
  );
  const all = new Map();
  for (const script of result.filter(({ url }) => url.includes('/dist/') && url.endsWith('.js'))) {
    for (const [file, lines] of linesOf(script)) {
      if (!sources.some((pattern) => pattern.test(file))) continue;
      const own = all.get(file) ?? new Map();
      all.set(file, own);
      for (const [line, isReached] of lines) own.set(line, own.get(line) || isReached);
    }
  }
  let [reached, total] = [0, 0];
  const rows = [...all].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [file, lines] of rows) {
    const missed = [...lines].filter(([, isReached]) => !isReached).map(([line]) => line);
    reached += lines.size - missed.length;
    total += lines.size;
    const shown = missed.length > 0 ? `  not ${missed.sort((a, b) => a - b).join(' ')}` : '';
    console.log(`  ${file} ${lines.size - missed.length} of ${lines.size}${shown}`);
  }
  const share = ((100 * reached) / Math.max(total, 1)).toFixed(1);
  console.log(`${reader}: ${tally.inputs} inputs reach ${reached} of ${total} lines (${share} %)`);
}
