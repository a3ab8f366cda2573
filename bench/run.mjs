/** The bench, on the Node that it is started with. `npm run bench` starts it on the right one. */
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cases } from './cases.mjs';
import { environment } from './harness.mjs';
import { PEER_NAMES } from './peers.mjs';
import { formatEnvironment, formatTable, mergeResults } from './report.mjs';

const USAGE = `npm run bench -- [--only PATTERN] [--peers NAME,...] [--quick] [--json FILE] [--list]

  --only PATTERN   cases whose id matches the regular expression, such as 'lstm/step'
  --peers NAMES    of ${PEER_NAMES.slice(1).join(', ')}
  --quick          one process and two short rounds: to see that it works, not for figures
  --json FILE      write the figures there too
  --list           print the cases and run none`;

const THOROUGH = { processes: 3, timing: { rounds: 5, roundMs: 100, warmUpMs: 500 } };
const QUICK = { processes: 1, timing: { rounds: 2, roundMs: 20, warmUpMs: 50 } };

function parseOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      peers: { type: 'string', default: PEER_NAMES.slice(1).join() },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  });
  const pattern = new RegExp(values.only);
  const chosen = cases.filter(({ id }) => pattern.test(id));
  if (chosen.length === 0) throw new Error(`no case matches ${values.only}`);
  const wanted = values.peers.split(',').filter(Boolean);
  const unknown = wanted.find((name) => !PEER_NAMES.includes(name));
  if (unknown) throw new Error(`no peer is called ${unknown}`);
  const peerNames = PEER_NAMES.filter((name, i) => i === 0 || wanted.includes(name));
  return { ...values, chosen, peerNames };
}

/** Runs all cases in a fresh process; `onMessage` sees each result as it comes. */
function runProcess(job, onMessage) {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('worker.mjs', import.meta.url)));
    child.on('message', onMessage);
    child.on('error', reject);
    child.on('exit', (code) =>
      code === 0
        ? resolve()
        : reject(new Error(`a process of the bench ended with status ${code}`)),
    );
    child.send(job);
  });
}

async function main() {
  let options;
  try {
    options = parseOptions();
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const { chosen, peerNames, quick, json, list } = options;
  const ids = chosen.map(({ id }) => id);
  if (list) {
    console.log(ids.join('\n'));
    return;
  }

  const { processes, timing } = quick ? QUICK : THOROUGH;
  const machine = environment();
  const results = [];
  for (let number = 1; number <= processes; number++) {
    await runProcess({ ids, peerNames, timing }, ({ versions, unavailable, result }) => {
      if (versions) {
        Object.assign(machine, { versions, unavailable });
        return;
      }
      results.push(result);
      console.error(`process ${number} of ${processes}: ${result.id}`);
    });
  }

  const [ours] = PEER_NAMES;
  const entries = mergeResults(chosen, results, ours);
  console.log(`${formatEnvironment(machine)}\n\n${formatTable(entries, peerNames, ours)}`);
  if (json) {
    const report = { environment: machine, settings: { processes, ...timing }, cases: entries };
    writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  }
}

await main();
