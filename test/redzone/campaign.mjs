// Random calls of the whole public face, valid and invalid, on a build whose memory has guarded gaps and on a plain one beside it.
//
//   node test/redzone/campaign.mjs --from 0 --count 50000     calls 0 to 49,999
//   node test/redzone/campaign.mjs --from 400 --count 200 --only 3,17     of an episode these calls alone
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildFaces } from './build.mjs';
import { LENGTH, runEpisode } from './episode.mjs';
import { publicFunctions } from './functions.mjs';

/** Fewest calls of every public function, of a million. */
const LEAST = 1000;

/** The failure with the fewest calls of its episode that still fail in the same way. */
async function shrink(faces, failure) {
  const { number, name, index } = failure;
  const run = async (calls) => {
    const only = new Set(calls.map((call) => call.index));
    const found = await runEpisode(faces, number, { only, last: index + 1 });
    return found?.name === name && alike(found.problem) === alike(failure.problem)
      ? found
      : undefined;
  };
  let least = (await run(failure.calls)) ?? failure;
  for (let size = least.calls.length; size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < least.calls.length;) {
      const fewer = least.calls.filter((_, k) => k < at || k >= at + size);
      const found = await run(fewer);
      if (found) least = found;
      else at += size;
    }
  }
  return least;
}

/** A problem without its numbers. */
const alike = (problem) => problem.split('\n')[0].replace(/\d+/g, '0');

/**
 * Runs calls `from` to `from + count`.
 *
 * @returns how often each function was called and how many calls reached a kernel, and one failure of each kind.
 */
export async function campaign(faces, { from, count, only, most = Infinity }) {
  const counts = new Map();
  const failures = new Map();
  let calls = 0;
  let reached = 0;
  const tell = ({ name }, kernels) => {
    calls++;
    if (kernels) reached++;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  for (let at = from; at < from + count && failures.size < most;) {
    const number = Math.floor(at / LENGTH);
    const first = at - number * LENGTH;
    const last = Math.min(LENGTH, from + count - number * LENGTH);
    const failure = await runEpisode(faces, number, { first, last, only, tell });
    if (failure) {
      const key = `${failure.name}: ${alike(failure.problem)}`;
      const known = failures.get(key);
      if (known) known.times++;
      else failures.set(key, { ...failure, times: 1 });
    }
    at = (number + 1) * LENGTH;
  }
  return { calls, reached, counts, failures: [...failures.values()] };
}

async function report(faces, failure) {
  const { number, index, name, problem, calls } = await shrink(faces, failure);
  const only = calls.map((call) => call.index).join();
  return [
    `FAILED ${failure.times} x  call ${number * LENGTH + index}, ${name}`,
    `  ${problem}`,
    `  --from ${number * LENGTH} --count ${Math.min(LENGTH, index + 1)} --only ${only}`,
    ...calls.map((call) => `    ${call.index} ${call.name} (${call.expect}) ${call.spoiled ?? ''}`),
  ].join('\n');
}

async function main() {
  const { values } = parseArgs({
    options: {
      from: { type: 'string', default: '0' },
      count: { type: 'string', default: '2000' },
      only: { type: 'string' },
    },
  });
  const [from, count] = [Number(values.from), Number(values.count)];
  const only = values.only && new Set(values.only.split(',').map(Number));
  const faces = await buildFaces();
  const start = performance.now();
  const { calls, reached, counts, failures } = await campaign(faces, { from, count, only });
  const seconds = (performance.now() - start) / 1000;
  if (only === undefined) {
    for (const name of publicFunctions(faces[0])) {
      const times = counts.get(name) ?? 0;
      const isEnough = times >= Math.floor((LEAST * calls) / 1e6);
      if (!isEnough) process.exitCode = 1;
      console.log(`${name.padEnd(28)}${String(times).padStart(9)}${isEnough ? '' : '  TOO FEW'}`);
    }
  }
  for (const failure of failures) {
    console.log(only ? failure.problem : await report(faces, failure));
    process.exitCode = 1;
  }
  const share = ((100 * reached) / calls).toFixed(1);
  console.log(
    `calls ${from} to ${from + calls - 1}: ${reached} (${share} %) reached a kernel, ${failures.length} kinds of failures, ` +
      `${seconds.toFixed(0)} s, ${(calls / seconds).toFixed(0)} calls a second`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
