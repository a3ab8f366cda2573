/** The bench, on the Node that it is started with. `npm run bench` starts it on the right one. */
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { otherFolder } from '../test/support/other-build.ts';
import { OURS, cases } from './cases.mjs';
import { extras } from './extras.mjs';
import { PEER_NAMES, WORLDS } from './peers.mjs';
import {
  formatAgainst,
  formatEnvironment,
  formatTable,
  meanRatio,
  mergeResults,
} from './report.mjs';
import { writeResults } from './results.mjs';
import { QUICK, THOROUGH } from './timing.mjs';

const USAGE = `npm run bench -- [--only PATTERN] [--peers NAME,...] [--against DIR] [--quick] [--json FILE] [--list]

  --only PATTERN   cases whose id matches the regular expression, such as 'lstm/step'
  --peers NAMES    of ${PEER_NAMES.join(', ')}
  --against DIR    another build of gatefold, in the folder that has its dist/; without --peers, only the two builds run
  --quick          one process and two short rounds: to see that it works, not for figures
  --json FILE      write the figures there too
  --results FILE   write the page that bench/RESULTS.md is, and its chart beside it; a whole run writes that one
  --list           print the cases and run none`;

const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url));
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The worlds that the chosen peers need; the first has us in any case. */
function worldsOf(peerNames) {
  return WORLDS.map((world) => ({
    ...world,
    peers: world.peers.filter((name) => peerNames.includes(name)),
  })).filter(({ peers }, place) => place === 0 || peers.length > 0);
}

/** The machine, before anything is timed. */
function environment() {
  const [cpu] = os.cpus();
  return {
    date: new Date().toISOString(),
    cpu: cpu?.model ?? 'unknown',
    cores: os.availableParallelism(),
    platform: `${process.platform}-${process.arch}`,
    node: process.versions.node,
    v8: process.versions.v8,
    /** Of the last minute, before anything was timed: figures of a busy machine say little. */
    load: os.loadavg()[0],
  };
}

/** The higher of each two figures: the peak is what is reached once. */
function best(one, other) {
  if (!one) return other;
  return Object.fromEntries(Object.keys(one).map((key) => [key, Math.max(one[key], other[key])]));
}

function parseOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      peers: { type: 'string' },
      against: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      results: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  });
  const pattern = new RegExp(values.only);
  const chosen = values.only ? cases.filter(({ id }) => pattern.test(id)) : cases;
  if (chosen.length === 0) throw new Error(`no case matches ${values.only}`);
  const against = values.against && otherFolder(values.against, ROOT);
  const peers = values.peers ?? (against ? '' : PEER_NAMES.join());
  const wanted = peers.split(',').filter(Boolean);
  const unknown = wanted.find((name) => !PEER_NAMES.includes(name));
  if (unknown) throw new Error(`no peer is called ${unknown}`);
  const peerNames = PEER_NAMES.filter((name) => wanted.includes(name));
  const isEverybody = !against && peerNames.length === PEER_NAMES.length;
  const isWhole = !values.quick && chosen === cases && isEverybody;
  const results = values.results ?? (isWhole ? RESULTS : undefined);
  return { ...values, against, chosen, peerNames, results };
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
  const { chosen, peerNames, against, quick, json, results: page, list } = options;
  const ids = chosen.map(({ id }) => id);
  if (list) {
    console.log(ids.join('\n'));
    return;
  }

  const { processes, timing } = quick ? QUICK : THOROUGH;
  const machine = { ...environment(), versions: {}, unavailable: {}, roofline: undefined };
  const results = [];
  const worlds = worldsOf(peerNames);
  for (let number = 1; number <= processes; number++) {
    for (const [place, { peers, isAlone }] of worlds.entries()) {
      const job = {
        ids,
        peerNames: isAlone ? peers : [OURS, ...peers],
        against: place === 0 ? against : undefined,
        timing,
        probes: place === 0,
      };
      await runProcess(job, ({ versions, unavailable, roofline, result }) => {
        if (versions) {
          Object.assign(machine.versions, versions);
          Object.assign(machine.unavailable, unavailable);
          if (roofline) machine.roofline = best(machine.roofline, roofline);
          return;
        }
        results.push(result);
        const at = `process ${number} of ${processes}, ${place + 1} of ${worlds.length}`;
        console.error(`${at}: ${result.id}`);
      });
    }
  }

  const entries = mergeResults(chosen, results, machine.roofline);
  console.log(formatEnvironment(machine));
  if (against) console.log(`\nhere ${ROOT}, there ${against}\n\n${formatAgainst(entries)}`);
  if (!against || peerNames.length) console.log(`\n${formatTable(entries, peerNames)}`);
  const report = { environment: machine, settings: { processes, ...timing }, cases: entries };
  if (against) report.against = { folder: against, meanRatio: meanRatio(entries) };
  if (page) Object.assign(report, { extras: await extras() });
  if (json) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  if (page) writeResults(page, report, peerNames);
}

await main();
