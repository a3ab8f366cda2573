// Does the suite notice? After `npm run build`: applies one mutant of test/mutants.mjs after another to a copy of the project, builds the kernels
// there, runs the suites of the arithmetic until one fails, and prints a table. Exit status 1 when a mutant survives.
//
//   node test/mutate.mjs            all mutants
//   node test/mutate.mjs lstm 3     every third of those whose name or file contains "lstm"
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printBytes } from '../build/embed.mjs';
import { mutants } from './mutants.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Everything that a build of the kernels and the suites below read. */
const COPIED = [
  'assembly',
  'build',
  'dist',
  'src',
  'test',
  'asconfig.json',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
];
/** In the order of what they cost. */
const SUITES = [
  'sequences',
  'wide',
  'ctc',
  'masks',
  'loss',
  'metrics',
  'pool',
  'tied',
  'segments',
  'flow',
  'gates',
  'int8',
  'property',
  'optimizers',
  'training',
  'activations',
  'memory',
  'threads',
];

const [pattern = '', every = '1'] = process.argv.slice(2);
const chosen = mutants
  .filter(({ name, file }) => `${name} ${file}`.includes(pattern))
  .filter((_, k) => k % Number(every) === 0);

function run(command, args, cwd) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, NO_COLOR: '1' } });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => (output += data));
    child.on('close', (status) => resolve({ status, output }));
  });
}

/** Both variants, and the file that brings them to the tests; what only `npm run build` wants is left out. */
async function build(cwd) {
  const asc = ['node_modules/assemblyscript/bin/asc.js', 'assembly/index.ts', '--target'];
  const results = await Promise.all(
    ['baseline', 'relaxed'].map((target) => run(process.execPath, [...asc, target], cwd)),
  );
  if (results.some(({ status }) => status !== 0)) return false;
  const [baseline, relaxed] = await Promise.all(
    ['baseline', 'relaxed'].map((name) => readFile(join(cwd, `build/out/${name}.wasm`))),
  );
  await writeFile(join(cwd, 'src/generated/wasm-bytes.ts'), printBytes({ baseline, relaxed }));
  return true;
}

const vitest = (cwd, suite) =>
  run(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--bail', '1', `test/${suite}.test.ts`],
    cwd,
  );

/** The text with every edit applied; each must find its place exactly once, or the table is out of date. */
function mutate(text, { name, file, edits }) {
  for (const [from, to] of edits) {
    const places = text.split(from).length - 1;
    if (places !== 1)
      throw new Error(`"${name}": ${places} places in ${file} match ${JSON.stringify(from)}`);
    text = text.replace(from, () => to);
  }
  return text;
}

/** What noticed the mutant: the first test that failed, or nothing. */
async function verdict(cwd) {
  if (!(await build(cwd))) return { noticed: false, by: 'DOES NOT BUILD' };
  for (const suite of SUITES) {
    const { status, output } = await vitest(cwd, suite);
    if (status === 0) continue;
    const failure = /FAIL\s+(.*)/.exec(output);
    if (!failure) throw new Error(`${suite} did not run:\n${output}`);
    return { noticed: true, by: failure[1] };
  }
  return { noticed: false, by: 'SURVIVED' };
}

const copy = await mkdtemp(join(tmpdir(), 'gatefold-mutants-'));
try {
  for (const entry of COPIED) await cp(join(root, entry), join(copy, entry), { recursive: true });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  // Find tables that are out of date before an hour of runs.
  for (const mutant of chosen) mutate(await readFile(join(copy, mutant.file), 'utf8'), mutant);
  const sound = await verdict(copy);
  if (sound.by !== 'SURVIVED')
    throw new Error(`the suites do not pass without a mutant: ${sound.by}`);

  const survivors = [];
  for (const [k, mutant] of chosen.entries()) {
    const file = join(copy, mutant.file);
    const original = await readFile(file, 'utf8');
    const start = performance.now();
    await writeFile(file, mutate(original, mutant));
    const { noticed, by } = await verdict(copy);
    await writeFile(file, original);
    if (!noticed) survivors.push(mutant.name);
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    console.log(
      `${String(k + 1).padStart(3)}  ${basename(mutant.file).padEnd(14)}${mutant.name.padEnd(58)}${seconds.padStart(4)} s  ${by}`,
    );
  }
  console.log(`${chosen.length} mutants, ${chosen.length - survivors.length} noticed`);
  if (survivors.length) {
    console.log(`not noticed: ${survivors.join('; ')}`);
    process.exitCode = 1;
  }
} finally {
  await rm(copy, { recursive: true });
}
