// Reads one large input in this process, and prints what memory that took beside the input's own.
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { performance } from 'node:perf_hooks';
import { loadGatefold, moduleOf } from './campaign.mjs';

const [reader, name] = process.argv.slice(2);
const SIZE = 32e6;
const MIB = 2 ** 20;
/** What the engine of JavaScript itself takes for its garbage and its code, whatever the input. */
const SLACK = 24 * MIB;

const module = await moduleOf(reader);
const gatefold = await loadGatefold(reader);
const engine = await gatefold.Engine.create({ simd: 'deterministic' });
const read = (bytes) => {
  try {
    if (!module.inspect) return module.read(gatefold, engine, bytes) ? 'accepted' : 'nothing';
    module.inspect(gatefold, bytes);
    return 'accepted';
  } catch (error) {
    if (error?.name !== 'GatefoldError') throw error;
    return error.code;
  }
};
// Code that has been compiled is no part of it.
for (const seed of module.seeds(gatefold)) read(seed);
const status = (kind) =>
  1024 *
  Number(new RegExp(`${kind}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))[1]);
const bytes = module.large[name](SIZE);
globalThis.gc();
globalThis.gc();
// The high-water mark begins anew.
writeFileSync('/proc/self/clear_refs', '5');
const held = status('VmRSS');
const before = performance.now();
const code = read(bytes);
const ms = performance.now() - before;
const taken = status('VmHWM') - held;
const limit = (module.memoryLimit ?? 2.2) * bytes.length + MIB + SLACK;
console.log(JSON.stringify({ bytes: bytes.length, taken, limit, code, ms }));
