// Do the tests notice? Applies the mutants of test/mutants/, one after another, to copies of the
// project and runs suites there until one fails. Exit status 1 when a mutant survives.
//
//   npm run test:mutate                        all mutants, as many at a time as there are cores
//   npm run test:mutate -- --part 2/8          the second of eight parts of them
//   npm run test:mutate -- lstm gru            those whose file or name contains "lstm" or "gru"
//   npm run test:mutate -- --write             keeps what noticed each in noticed.json there
//   node test/mutate.mjs --check               only whether mutants and table fit the sources
//
// noticed.json names for each mutant the test that noticed it last. That test is tried first, then
// those that notice other mutants of the file: a run needs one build and one test a mutant.
import asc from 'assemblyscript/asc';
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { printBytes } from '../build/embed.mjs';
import { mutants } from './mutants.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const TABLE = join(root, 'test/mutants/noticed.json');
const BYTES = 'src/engine/generated/wasm-bytes.ts';
/** Everything that a build and the suites read. */
const COPIED = [
  'assembly',
  'build',
  'dist',
  'src',
  'test',
  'asconfig.json',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'vitest.config.ts',
];

const fileOf = (suite) => `test/${suite}.test.ts`;
/** Suites that run dist/ too: a mutant of src/ has to be built for them. */
const BUILT = [
  'node/checkpoint',
  'node/replace',
  'threads/shared-models',
  'threads/faults',
  'threads/threads',
  'cli/hostile-command',
  'cli/cli',
  'cli/flow',
  'cli/durable',
].map(fileOf);
/** What a mutant that no suite is known to notice is tried on, the cheap ones first. */
const SUITES = [
  'kernels/layer-kernels',
  'ops/layer-contract',
  'ops/layers',
  'ops/large-biases',
  'ops/mathematics',
  'ops/norms',
  'ops/batch-norm',
  'ops/conv-transpose1d',
  'ops/prelu',
  'ops/delay',
  'model/into',
  'model/outputs',
  'model/summary',
  'model/voice-activity',
  'model/picture',
  'base/wrong-kinds',
  'cli/parts',
  'kernels/kernels',
  'graph/sequences',
  'engine/tiles',
  'training/ctc',
  'ops/masks',
  'training/loss',
  'training/metrics',
  'ops/pool',
  'ops/tied',
  'training/segments',
  'training/flow',
  'model/gates',
  'ops/int8',
  'ops/property',
  'training/optimizers',
  'training/training',
  'kernels/activations',
  'base/untrusted',
  'engine/sizes',
  'base/errors',
  'graph/many-layers',
  'formats/bombs',
  'engine/memory',
  'formats/models',
]
  .map(fileOf)
  .concat(BUILT);

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    part: { type: 'string', default: '1/1' },
    write: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});
const [part, parts] = options.part.split('/').map(Number);
if (!(part >= 1 && part <= parts)) throw new Error(`--part ${options.part}: expected K/N, as 2/8`);
const patterns = positionals.length ? positionals : [''];
const chosen = mutants
  .filter(({ name, file }) => patterns.some((text) => `${file} ${name}`.includes(text)))
  .filter((_, k) => k % parts === part - 1);

function run(cwd, ...args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd, env: { ...process.env, NO_COLOR: '1' } });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => (output += data));
    child.on('close', (status) => resolve({ status, output }));
  });
}

/**
 * The text with every edit applied; each must find its place exactly once, or it is out of date.
 */
function mutate(text, { name, file, edits }) {
  for (const [from, to] of edits) {
    const places = text.split(from).length - 1;
    if (places !== 1)
      throw new Error(`"${name}": ${places} places in ${file} match ${JSON.stringify(from)}`);
    text = text.replace(from, () => to);
  }
  return text;
}

/**
 * Compiles the kernels of a copy into its src/engine/generated. In this process, where the compiler
 * is warm, and with few optimisations: neither changes a bit of a result.
 */
async function compile(copy) {
  const variants = {};
  for (const target of ['baseline', 'relaxed']) {
    const { error } = await asc.main(
      ['assembly/index.ts', '--baseDir', copy, '--target', target, '--optimizeLevel', '1'],
      {
        stderr: { write: () => true },
        writeFile: (name, data) => {
          if (name.endsWith('.wasm')) variants[target] = data;
        },
      },
    );
    if (error) return false;
  }
  await writeFile(join(copy, BYTES), printBytes(variants));
  return true;
}

/** As vitest reports it: a file, then the names of groups and test. */
const suiteOf = (test) => test.split(' ', 1)[0];

/** The first test that fails, or nothing. What is run is a suite, or one test of it. */
async function failureIn(copy, what) {
  const [suite, ...names] = what.split(' > ');
  const name = names.join(' ').replace(/[^\w\s]/g, '\\$&');
  const only = name ? ['--testNamePattern', `^${name}$`] : [];
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--bail', '1', '--cache=false'];
  const { status, output } = await run(copy, ...vitest, suite, ...only);
  if (status === 0) return undefined;
  const failure = /FAIL\s+(.*)/.exec(output);
  if (!failure) throw new Error(`${what} did not run:\n${output}`);
  return failure[1];
}

/** What noticed the mutant that a copy has, or why nothing did. */
async function verdict(copy, { file, name }) {
  const isKernel = file.startsWith('assembly/');
  if (isKernel && !(await compile(copy))) return { by: 'DOES NOT BUILD' };
  let isBuilt = isKernel;
  const { [name]: last, ...others } = table[file] ?? {};
  const likely = [last, ...Object.values(others)].filter(Boolean);
  for (const what of new Set([...likely, ...likely.map(suiteOf), ...SUITES])) {
    if (BUILT.includes(suiteOf(what)) && !isBuilt) {
      const { status } = await run(copy, 'build/build.mjs');
      if (status !== 0) return { by: 'DOES NOT BUILD' };
      isBuilt = true;
    }
    await requireSound(what);
    const by = await failureIn(copy, what);
    if (by) return { noticed: true, by };
  }
  return { by: 'SURVIVED' };
}

/** A test that fails without a mutant would notice everything. */
const sound = new Map();
function requireSound(what) {
  if (!sound.has(what)) sound.set(what, failureIn(untouched, what));
  return sound.get(what).then((by) => {
    if (by) throw new Error(`fails without a mutant: ${by}`);
  });
}

async function makeCopy() {
  const copy = await mkdtemp(join(tmpdir(), 'gatefold-mutants-'));
  for (const entry of COPIED) await cp(join(root, entry), join(copy, entry), { recursive: true });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** The table in the order of the mutants, without entries of those that are gone. */
function printTable() {
  const ordered = {};
  for (const { file, name } of mutants) {
    const by = table[file]?.[name];
    if (by) (ordered[file] ??= {})[name] = by;
  }
  return `${JSON.stringify(ordered, null, 2)}\n`;
}

// Find mutants that are out of date before an hour of runs.
for (const mutant of chosen) mutate(await readFile(join(root, mutant.file), 'utf8'), mutant);
const written = await readFile(TABLE, 'utf8');
const table = JSON.parse(written);
if (options.check) {
  const advice = 'run npm run test:mutate -- PATTERN --write';
  if (printTable() !== written)
    throw new Error(`test/mutants/noticed.json is out of date: ${advice}`);
  process.exit();
}
const untouched = await makeCopy();
const lanes = await Promise.all(Array.from({ length: availableParallelism() }, makeCopy));
const begun = performance.now();
const secondsSince = (start) => ((performance.now() - start) / 1000).toFixed(0);
const survivors = [];
let next = 0;
let done = 0;

async function work(copy) {
  while (next < chosen.length) {
    const mutant = chosen[next++];
    const start = performance.now();
    const path = join(copy, mutant.file);
    await writeFile(path, mutate(await readFile(path, 'utf8'), mutant));
    const { noticed, by } = await verdict(copy, mutant);
    if (noticed) (table[mutant.file] ??= {})[mutant.name] = by;
    else survivors.push(mutant.name);
    for (const file of [mutant.file, BYTES]) await cp(join(untouched, file), join(copy, file));
    const seconds = secondsSince(start).padStart(4);
    console.log(
      `${String(++done).padStart(3)}  ${mutant.file.padEnd(34)} ${mutant.name.padEnd(64)}${seconds} s  ${by}`,
    );
    if (options.write) await writeFile(TABLE, printTable());
  }
}

try {
  await Promise.all(lanes.map(work));
  console.log(
    `${chosen.length - survivors.length} of ${chosen.length} mutants noticed, in ${secondsSince(begun)} s`,
  );
  if (survivors.length) {
    console.log(`not noticed: ${survivors.join('; ')}`);
    process.exitCode = 1;
  }
} finally {
  for (const copy of [untouched, ...lanes]) await rm(copy, { recursive: true });
}
