/**
 * The cases of the bench in a page, against the peers that run in one. `?start` begins at once,
 * `?report` posts what came of it.
 */
import { OURS, cases } from '../cases.mjs';
import { runCase } from '../contest.mjs';
import { duration, mergeResults } from '../report.mjs';
import { QUICK, THOROUGH } from '../timing.mjs';
import * as gatefold from '../peers/gatefold.mjs';
import * as float32 from '../peers/gatefold-float32.mjs';
import * as onnxruntime from '../peers/onnxruntime-web.mjs';
import * as tfjs from '../peers/tfjs-wasm.mjs';

const peers = [gatefold, float32, onnxruntime, tfjs];
const others = peers.slice(1).map(({ name }) => name);

/** A bar of full width stands for this ratio, or its inverse. */
const FULL_BAR = 32;

const find = (selector) => document.querySelector(selector);

function row(cells, tag = 'td') {
  const line = document.createElement('tr');
  for (const { text, kind, share } of cells) {
    const cell = document.createElement(tag);
    cell.textContent = text;
    if (kind) cell.className = kind;
    if (share !== undefined) cell.style.setProperty('--share', `${100 * share}%`);
    line.append(cell);
  }
  return line;
}

const header = () =>
  row(
    ['case', OURS, 'GFLOP/s', ...others.flatMap((name) => [name, 'ratio'])].map((text) => ({
      text,
    })),
    'th',
  );

function cellsOf({ ms, ratio }) {
  const share = Math.min(1, Math.abs(Math.log(ratio)) / Math.log(FULL_BAR));
  const kind = ratio < 1 ? 'ratio behind' : 'ratio';
  return [{ text: duration(ms) }, { text: `${ratio.toFixed(2)}x`, kind, share }];
}

function rowOf({ id, ours, peers: theirs, notes }) {
  return row([
    { text: id },
    { text: duration(ours.ms) },
    { text: ours.gflops.toFixed(1) },
    ...others.flatMap((name) =>
      theirs[name]
        ? cellsOf(theirs[name])
        : [{ text: notes[name] ?? '-', kind: 'note' }, { text: '' }],
    ),
  ]);
}

function machine() {
  return {
    agent: navigator.userAgent,
    cores: navigator.hardwareConcurrency,
    isolated: crossOriginIsolated,
    versions: Object.fromEntries(peers.map(({ name, version }) => [name, version])),
  };
}

/** A moment for the page to paint. */
const breathe = () => new Promise((resolve) => setTimeout(resolve, 20));

async function run(only, isQuick) {
  const chosen = cases.filter(({ id }) => new RegExp(only).test(id));
  const { processes, timing } = isQuick ? QUICK : THOROUGH;
  find('progress').max = chosen.length;
  find('thead').replaceChildren(header());
  find('tbody').replaceChildren();
  const entries = [];
  for (const [done, benchCase] of chosen.entries()) {
    find('progress').value = done;
    find('#now').textContent = benchCase.id;
    const results = [];
    for (let time = 0; time < processes; time++) {
      await breathe();
      results.push(await runCase(benchCase, peers, timing));
    }
    const [entry] = mergeResults([benchCase], results);
    entries.push(entry);
    find('tbody').append(rowOf(entry));
  }
  find('progress').value = chosen.length;
  find('#now').textContent = `${chosen.length} cases`;
  return { machine: machine(), entries, others };
}

const parameters = new URLSearchParams(location.search);

async function start() {
  const form = find('form');
  const button = find('button');
  button.disabled = true;
  try {
    const report = await run(form.elements.only.value, form.elements.quick.checked);
    if (parameters.has('report'))
      await fetch('/report', { method: 'POST', body: JSON.stringify(report) });
  } catch (error) {
    find('#now').textContent = String(error);
    if (parameters.has('report'))
      await fetch('/report', { method: 'POST', body: JSON.stringify({ error: String(error) }) });
  }
  button.disabled = false;
}

const { agent, cores, isolated, versions } = machine();
const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
const clock = isolated ? '' : '; its clock is coarse, because the page is not isolated';
find('#machine').textContent = `${agent}, ${cores} cores${clock}. ${packages.join(', ')}.`;
find('form').elements.only.value = parameters.get('only') ?? '';
find('form').elements.quick.checked = parameters.has('quick');
find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  void start();
});
if (parameters.has('start')) void start();
