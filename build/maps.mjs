// What is done to bundled scripts and their source maps at last.
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** An import of what only the host knows, and how bundlers are told to leave it. */
const COMPUTED = /\bimport\((?=\w+\))/g;
const LEAVE = '/* webpackIgnore: true *//* turbopackIgnore: true *//* @vite-ignore */';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The first number of a segment, and how many characters it takes. */
function readNumber(segment) {
  let value = 0;
  for (let k = 0; ; k++) {
    const digit = DIGITS.indexOf(segment[k]);
    value += (digit & 31) * 32 ** k;
    if (digit < 32) return [value % 2 ? -(value - 1) / 2 : value / 2, k + 1];
  }
}

function printNumber(number) {
  let value = number < 0 ? 1 - 2 * number : 2 * number;
  let text = '';
  do {
    text += DIGITS[(value % 32) + (value >= 32 ? 32 : 0)];
    value = Math.floor(value / 32);
  } while (value > 0);
  return text;
}

/** The segments of a line into which `count` characters have come at `column`. */
function shift(line, column, count) {
  const segments = line.split(',');
  let at = 0;
  for (const [k, segment] of segments.entries()) {
    const [step, length] = readNumber(segment);
    at += step;
    // Each begins where the one before it does, so that the rest follows.
    if (at < column) continue;
    segments[k] = printNumber(step + count) + segment.slice(length);
    break;
  }
  return segments.join(',');
}

/** Puts back what bundlers have to know, which minification takes away. */
function leaveComputed(text, map) {
  const mappings = map.mappings.split(';');
  const lines = text.split('\n').map((line, row) => {
    for (const { 0: call, index } of [...line.matchAll(COMPUTED)].reverse())
      mappings[row] = shift(mappings[row], index + call.length, LEAVE.length);
    return line.replace(COMPUTED, `$&${LEAVE}`);
  });
  map.mappings = mappings.join(';');
  return lines.join('\n');
}

/** Our sources as they are, but for the kernels: nobody reads those as text. */
async function fillSources(path, map) {
  for (const [index, source] of map.sources.entries()) {
    const file = join(dirname(path), source);
    if (/(wasm|baseline)-bytes\.ts$/.test(file)) map.sourcesContent[index] = null;
    else if (file.startsWith('src/')) map.sourcesContent[index] = await readFile(file, 'utf8');
  }
}

/** Scripts and maps of a bundle, by path, as they are published. */
export async function finish(files) {
  const texts = new Map(files);
  for (const [path, text] of files) {
    const map = texts.has(`${path}.map`) && JSON.parse(texts.get(`${path}.map`));
    if (!map) continue;
    texts.set(path, leaveComputed(text, map));
    await fillSources(path, map);
    texts.set(`${path}.map`, JSON.stringify(map));
  }
  return [...texts];
}
