// Do readers of files survive? Makes files that are nearly right, reads them with the built package,
// and uses what is accepted. Exit status 1 where something failed.
//
//   npm run fuzz -- --reader audio --from 0 --count 100000
//   npm run fuzz -- --reader all --count 10000      every reader in turn, where its log ends
//   npm run fuzz -- --reader audio --number 1234    one input again; prints its error, keeps its bytes
//   npm run fuzz -- --reader audio --memory         what 32 MB take before they are a model
//   npm run fuzz -- --reader audio --coverage       the share of the reader's lines that is reached
//
// A failure is an exception that is no GatefoldError, a read of more than 200 ms (a MB), a hang, a
// crash, or a change of the input. Failing inputs go to corpus/READER/, which is replayed first;
// log.json has the counts of all campaigns.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import {
  Inputs,
  LIMIT,
  Tally,
  inputOf,
  loadGatefold,
  moduleOf,
  randomOf,
  readers,
} from './campaign.mjs';
import { coverage } from './coverage.mjs';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const LOG = at('log.json');
/** Failing inputs of one campaign that are kept: many have one cause. */
const MOST_KEPT = 20;
/** Milliseconds without progress after which an input hangs: a slow one is measured again before. */
const HANG = 25 * LIMIT;

const { values } = parseArgs({
  options: {
    reader: { type: 'string' },
    from: { type: 'string' },
    count: { type: 'string', default: '10000' },
    number: { type: 'string' },
    memory: { type: 'boolean' },
    coverage: { type: 'boolean' },
    'no-log': { type: 'boolean' },
  },
});

function readLog() {
  try {
    return JSON.parse(readFileSync(LOG, 'utf8'));
  } catch {
    return {};
  }
}

/** Counts of all campaigns of a reader; neighbouring ranges of inputs are one. */
function record(reader, from, { inputs, accepted, failures }) {
  const log = readLog();
  const own = (log[reader] ??= { inputs: 0, accepted: 0, failures: 0, ranges: [] });
  own.inputs += inputs;
  own.accepted += accepted;
  own.failures += failures.length;
  const ranges = [...own.ranges, [from, from + inputs]].sort((a, b) => a[0] - b[0]);
  own.ranges = ranges.reduce((merged, [start, end]) => {
    const last = merged.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
    return merged;
  }, []);
  const sorted = Object.fromEntries(Object.entries(log).sort(([a], [b]) => (a < b ? -1 : 1)));
  const lines = Object.entries(sorted).map(
    ([name, counts]) => `  ${JSON.stringify(name)}: ${JSON.stringify(counts)}`,
  );
  writeFileSync(LOG, `{\n${lines.join(',\n')}\n}\n`);
}

/** Keeps a failing input, where it is replayed in every campaign. */
function keep(reader, name, bytes) {
  const folder = at(`corpus/${reader}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/${name}`, bytes);
}

function merge(total, { inputs, accepted, codes, slowest, failures }) {
  total.inputs += inputs;
  total.accepted += accepted;
  for (const [code, count] of Object.entries(codes)) {
    total.codes[code] = (total.codes[code] ?? 0) + count;
  }
  if (slowest.ms > total.slowest.ms) total.slowest = slowest;
  total.failures.push(...failures);
}

/** One worker from a number on, until it is done, hangs or dies: where to go on, and what failed. */
function stretch(reader, from, count, replay, total, replayed) {
  return new Promise((resolve) => {
    const progress = new SharedArrayBuffer(8);
    const state = new Int32Array(progress);
    const worker = new Worker(new URL('worker.mjs', import.meta.url), {
      workerData: { reader, from, count, progress, replay },
      resourceLimits: { maxOldGenerationSizeMb: 2048 },
    });
    let [last, since, next] = [-1, Date.now(), from];
    const watch = setInterval(() => {
      const turn = Atomics.load(state, 1);
      if (turn !== last) [last, since] = [turn, Date.now()];
      // The first input waits for the package to be loaded.
      else if (turn > 0 && Date.now() - since > HANG) stop('hang');
    }, 100);
    const end = (result) => {
      clearInterval(watch);
      resolve(result);
    };
    function stop(failure, message = '') {
      clearInterval(watch);
      const number = Atomics.load(state, 0);
      void worker.terminate().then(() => end({ next, number, failure, message }));
    }
    worker.on('message', ({ kind, tally, next: place }) => {
      if (kind === 'replayed') merge(replayed, tally);
      if (kind === 'part') {
        merge(total, tally);
        next = place;
      }
      if (kind === 'done') end({ next: from + count });
    });
    worker.on('error', (error) => stop('crash', String(error?.stack ?? error)));
  });
}

async function campaign(reader, from, count) {
  const [total, replayed] = [new Tally(), new Tally()];
  const module = await moduleOf(reader);
  const seeds = module.seeds(await loadGatefold(reader));
  const started = Date.now();
  let isFirst = true;
  for (let next = from; next < from + count;) {
    const result = await stretch(reader, next, from + count - next, isFirst, total, replayed);
    isFirst = false;
    next = result.next;
    if (!result.failure) break;
    // Inputs between the last report and the one that failed are read again, which is harmless.
    const { number, failure, message } = result;
    if (number < 0) {
      replayed.failures.push({ number: 'corpus', failure, ms: HANG, message });
      continue;
    }
    const rest = await stretch(reader, next, number - next, false, total, replayed);
    if (rest.failure) throw new Error(`input ${rest.number} fails by what came before it`);
    total.add(number, { code: failure, failure, ms: HANG, message });
    next = number + 1;
  }
  const seconds = (Date.now() - started) / 1000;
  for (const { number, failure } of total.failures.slice(0, MOST_KEPT)) {
    keep(reader, `${failure}-${number}.bin`, inputOf(module, seeds, number));
  }
  report(reader, from, total, replayed, seconds);
  if (!values['no-log']) record(reader, from, total);
  return total.failures.length + replayed.failures.length === 0;
}

const percent = (part, whole) => `${((100 * part) / Math.max(whole, 1)).toFixed(1)} %`;

function report(reader, from, total, replayed, seconds) {
  const { inputs, accepted, codes, slowest, failures } = total;
  const rate = Math.round(inputs / seconds);
  console.log(`${reader}: inputs ${from} to ${from + inputs - 1}, ${rate} a second`);
  if (replayed.inputs > 0) {
    console.log(`  corpus     ${replayed.inputs}, failures ${replayed.failures.length}`);
  }
  console.log(`  accepted   ${accepted} (${percent(accepted, inputs)})`);
  const sorted = Object.entries(codes).sort(([, a], [, b]) => b - a);
  console.log(`  codes      ${sorted.map(([code, count]) => `${code} ${count}`).join(', ')}`);
  console.log(`  slowest    ${slowest.ms} ms (input ${slowest.number})`);
  console.log(`  failures   ${failures.length}`);
  for (const { number, failure, ms, message } of [...replayed.failures, ...failures].slice(0, 10)) {
    const lines = message.split('\n').slice(0, 4).join('\n      ');
    console.log(`    ${failure} of ${number}, ${Math.round(ms)} ms\n      ${lines}`);
  }
}

async function again(reader, number) {
  const inputs = await Inputs.create(reader);
  const bytes = inputs.bytes(number);
  const { code, failure, ms, message } = await inputs.read(bytes, randomOf(number ^ 0x55555555));
  const path = at(`input-${reader}-${number}.bin`);
  writeFileSync(path, bytes);
  console.log(
    `${path}: ${bytes.length} bytes, ${failure ?? code}, ${ms.toFixed(1)} ms\n${message}`,
  );
  return !failure;
}

/** Every large input in a process of its own. */
async function memory(reader) {
  const { large } = await moduleOf(reader);
  if (!large) {
    console.log(`${reader}: readers/${reader}.mjs has no large(size), nothing to measure`);
    return true;
  }
  let isWithin = true;
  for (const name of Object.keys(large)) {
    const child = spawnSync(process.execPath, ['--expose-gc', at('memory.mjs'), reader, name], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    const result = child.status === 0 ? JSON.parse(child.stdout) : { failure: child.stderr };
    const { bytes, taken, limit, code, ms, failure } = result;
    if (failure || taken > limit) isWithin = false;
    const figures = failure
      ? `FAILED ${failure.split('\n').slice(0, 3).join(' ')}`
      : `${(bytes / 1e6).toFixed(0)} MB, ${code}, ${ms.toFixed(0)} ms, takes ${(taken / bytes).toFixed(2)} times, limit ${(limit / bytes).toFixed(2)}`;
    console.log(`  ${reader} ${name.padEnd(24)} ${figures}${taken > limit ? '  OVER' : ''}`);
  }
  return isWithin;
}

const names = values.reader === 'all' ? readers() : [values.reader];
if (names.includes(undefined)) {
  console.error(`--reader expected all, ${readers().join(', ')}`);
  process.exit(2);
}
let isGood = true;
for (const reader of names) {
  const ends = readLog()[reader]?.ranges.at(-1)?.[1] ?? 0;
  const from = values.from === undefined ? ends : Number(values.from);
  if (values.number !== undefined) isGood = (await again(reader, Number(values.number))) && isGood;
  else if (values.memory) isGood = (await memory(reader)) && isGood;
  else if (values.coverage) await coverage(reader, from, Number(values.count));
  else isGood = (await campaign(reader, from, Number(values.count))) && isGood;
}
process.exit(isGood ? 0 : 1);
