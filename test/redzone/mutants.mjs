// Do the red zones notice? Applies the faults of faults.mjs, one after another, to a copy of the
// sources, builds the kernels where it is one of theirs, and runs a short campaign there. Exit
// status 1 when one goes unnoticed.
//
//   node test/redzone/mutants.mjs           all
//   node test/redzone/mutants.mjs pool      those whose name or file contains "pool"
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printBytes } from '../../build/embed.mjs';
import { faults } from './faults.mjs';

const CALLS = 12_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
/** What a build of the kernels and the campaign read. */
const COPIED = ['assembly', 'build', 'src', 'test/redzone', 'asconfig.json', 'package.json'];

/** What a program of the copy prints; on both outputs, whatever its status. */
function run(cwd, ...args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => (output += data));
    }
    child.on('close', (status) => resolve({ status, output }));
  });
}

/** Both variants with the mutant in them. */
async function buildKernels(cwd) {
  const asc = ['node_modules/assemblyscript/bin/asc.js', 'assembly/index.ts', '--target'];
  const bytes = {};
  for (const target of ['baseline', 'relaxed']) {
    const { status, output } = await run(cwd, ...asc, target);
    if (status !== 0) throw new Error(output);
    bytes[target] = await readFile(join(cwd, `build/out/${target}.wasm`));
  }
  await writeFile(join(cwd, 'src/engine/generated/wasm-bytes.ts'), printBytes(bytes));
}

/** The red zone that a campaign found written to, if any. */
async function noticed(cwd) {
  const args = ['--count', String(CALLS), '--most', '3'];
  const { output } = await run(cwd, 'test/redzone/campaign.mjs', ...args);
  const found = /a write into a red zone.*/.exec(output);
  if (!found && !/kinds of failures/.test(output)) throw new Error(output);
  return found?.[0];
}

const [pattern = ''] = process.argv.slice(2);
const chosen = faults.filter(({ name, file }) => `${name} ${file}`.includes(pattern));
const copy = await mkdtemp(join(tmpdir(), 'gatefold-redzone-'));
try {
  for (const entry of COPIED) await cp(join(root, entry), join(copy, entry), { recursive: true });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  const bytes = await readFile(join(copy, 'src/engine/generated/wasm-bytes.ts'));
  let missed = 0;
  for (const { name, file, from, to } of chosen) {
    const path = join(copy, file);
    const text = await readFile(path, 'utf8');
    const places = text.split(from).length - 1;
    if (places !== 1) throw new Error(`"${name}": ${places} places in ${file} match`);
    await writeFile(
      path,
      text.replace(from, () => to),
    );
    const isKernel = file.startsWith('assembly/');
    if (isKernel) await buildKernels(copy);
    const found = await noticed(copy);
    await writeFile(path, text);
    if (isKernel) await writeFile(join(copy, 'src/engine/generated/wasm-bytes.ts'), bytes);
    if (!found) missed++;
    console.log(`${file.padEnd(34)}${name.padEnd(56)}${found ?? 'NOT NOTICED'}`);
  }
  console.log(`${chosen.length} mutants, ${chosen.length - missed} noticed`);
  if (missed) process.exitCode = 1;
} finally {
  await rm(copy, { recursive: true });
}
