// Random calls of the whole public face, valid and invalid, on a build whose memory has guarded
// gaps and on a plain one beside it.
//
//   node test/redzone/campaign.mjs --from 0 --count 50000     calls 0 to 49,999
// node test/redzone/campaign.mjs --from 400 --count 200 --only 3,17     of an episode these calls
// alone
//   node test/redzone/campaign.mjs --most 1     ends with the first failure
import { inspect, parseArgs } from 'node:util';
import { buildFaces } from './build.mjs';
import { callKinds } from './calls/index.mjs';
import { LENGTH, runEpisode } from './episode.mjs';
import { publicFunctions } from './functions.mjs';

/**
 * Fewest calls of every public function in a thousand; of fewer than a million, chance may take
 * most of them away.
 */
const leastOf = (calls) => Math.floor((calls / 1000) * (calls < 1e6 ? 0.25 : 1));
/** Calls after which a long run says where it is. */
const CHUNK = 50_000;

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

/** What calls `from` to `from + count` come to, added to what there is of calls before them. */
async function run(faces, { from, count, only, most }, found) {
  const { counts, failures } = found;
  const tell = ({ name }, kernels) => {
    found.calls++;
    if (kernels) found.reached++;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  for (let at = from; at < from + count && failures.size < most;) {
    const number = Math.floor(at / LENGTH);
    const first = at - number * LENGTH;
    const last = Math.min(LENGTH, from + count - number * LENGTH);
    const failure = await runEpisode(faces, number, { first, last, only, tell });
    if (failure) {
      const key = `${failure.name}: ${alike(failure.problem)}`;
      const times = (failures.get(key)?.times ?? 0) + 1;
      const { name, index, problem } = failure;
      if (times === 1) console.log(`call ${number * LENGTH + index}, ${name}: ${problem}`);
      failures.set(key, { ...failure, ...failures.get(key), times });
    }
    at = (number + 1) * LENGTH;
  }
}

/** One call of a failure, with the argument that was spoiled. */
function describe({ index, name, expect, spoiled }) {
  const { path, value } = spoiled ?? {};
  const shown = inspect(value, { depth: 1, maxArrayLength: 6, breakLength: Infinity });
  return `    ${index} ${name} (${expect})${path ? ` ${path.join('.')} = ${shown}` : ''}`;
}

async function report(faces, failure) {
  const { number, index, name, problem, calls } = await shrink(faces, failure);
  const only = calls.map((call) => call.index).join();
  return [
    `FAILED ${failure.times} x  call ${number * LENGTH + index}, ${name}`,
    `  ${problem}`,
    `  --from ${number * LENGTH} --count ${Math.min(LENGTH, index + 1)} --only ${only}`,
    ...calls.map(describe),
  ].join('\n');
}

async function main() {
  const { values } = parseArgs({
    options: {
      from: { type: 'string', default: '0' },
      count: { type: 'string', default: '2000' },
      only: { type: 'string' },
      most: { type: 'string', default: 'Infinity' },
    },
  });
  const [from, count, most] = [values.from, values.count, values.most].map(Number);
  const only = values.only && new Set(values.only.split(',').map(Number));
  const faces = await buildFaces();
  const found = { calls: 0, reached: 0, counts: new Map(), failures: new Map() };
  const start = performance.now();
  const say = () => {
    const { calls, reached, failures } = found;
    const seconds = (performance.now() - start) / 1000;
    const share = ((100 * reached) / calls).toFixed(1);
    const speed = `${seconds.toFixed(0)} s, ${(calls / seconds).toFixed(0)} calls a second`;
    const kernels = `${reached} (${share} %) reached a kernel`;
    console.log(
      `from ${from}: ${calls} calls, ${kernels}, ${failures.size} kinds of failures, ${speed}`,
    );
  };
  for (let at = from; at < from + count; at += CHUNK) {
    await run(faces, { from: at, count: Math.min(CHUNK, from + count - at), only, most }, found);
    if (at + CHUNK < from + count) say();
  }
  const { calls, reached, counts, failures } = found;
  let isComplete = 2 * reached >= calls;
  if (only === undefined) {
    const drawn = new Set(callKinds.map(({ name }) => name));
    for (const name of publicFunctions(faces[0])) {
      const times = counts.get(name) ?? 0;
      const isEnough = drawn.has(name) && times >= leastOf(calls);
      isComplete &&= isEnough;
      console.log(`${name.padEnd(28)}${String(times).padStart(9)}${isEnough ? '' : '  TOO FEW'}`);
    }
  }
  for (const failure of failures.values()) {
    console.log(only ? failure.problem : await report(faces, failure));
  }
  say();
  if (failures.size || (!isComplete && only === undefined)) process.exitCode = 1;
}

await main();
