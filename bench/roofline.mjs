/**
 * What one thread of WebAssembly SIMD can do at most on this machine, measured in the process that
 * times the cases.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The probe's bytes. */
function compile() {
  const folder = mkdtempSync(join(tmpdir(), 'roofline-'));
  const out = join(folder, 'roofline.wasm');
  const asc = here('../node_modules/assemblyscript/bin/asc.js');
  const features = ['--enable', 'simd,relaxed-simd', '--runtime', 'stub', '--importMemory'];
  const source = here('probe/roofline.ts');
  execFileSync(process.execPath, [asc, source, '-o', out, '-O3', '--noAssert', ...features]);
  const bytes = readFileSync(out);
  rmSync(folder, { recursive: true });
  return bytes;
}

const ROUNDS = 7;
const ROUND_MS = 15;

/**
 * The best of a few rounds of calls that count `work` each, in units of 1e9 a second. Calls are
 * short, so that the code tiers up.
 */
function rate(call, work) {
  for (const end = performance.now() + 100; performance.now() < end;) call();
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    let calls = 0;
    let elapsed = 0;
    for (; elapsed < ROUND_MS; elapsed = performance.now() - start) {
      call();
      calls++;
    }
    best = Math.max(best, (work * calls) / elapsed / 1e6);
  }
  return best;
}

const KB = 1024;

/** The probe, with pages of its own. */
export function createProbe() {
  const memory = new WebAssembly.Memory({ initial: 1200, maximum: 65536 });
  const module = new WebAssembly.Module(compile());
  const env = { memory, abort() {} };
  const probe = new WebAssembly.Instance(module, { env }).exports;
  // Pages that were never written are all the same one.
  new Float32Array(memory.buffer).fill(1);
  return probe;
}

/** GFLOP/s of f32, GOP/s of 8 bits, GB/s. */
export function measureRoofline() {
  const probe = createProbe();
  const n = 1000;
  const streaming = (bytes) => rate(() => probe.stream(64 * KB, bytes), bytes);
  return {
    multiplyAdd: rate(() => probe.multiplyAdd(n), 96 * n),
    fusedMultiplyAdd: rate(() => probe.fusedMultiplyAdd(n), 96 * n),
    dot8: rate(() => probe.dot(n), 384 * n),
    level1: streaming(16 * KB),
    level2: streaming(512 * KB),
    beyond: streaming(64 * KB * KB),
  };
}
