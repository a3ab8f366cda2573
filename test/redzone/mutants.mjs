// Do the red zones notice? Applies one fault after another that writes past a slot to a copy of the
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

/** Each `from` must match its file exactly once. */
const mutants = [
  {
    name: 'rows copied: one number more of the last',
    file: 'assembly/layers/rows.ts',
    from: 'from + o * fromOuter + i * fromInner, width);',
    to: 'from + o * fromOuter + i * fromInner, width + (o + i + 2 == outer + inner ? 4 : 0));',
  },
  {
    name: 'rows gathered: one number more of the last',
    file: 'assembly/layers/rows.ts',
    from: 'load<i32>(index + (r << 2)) * fromRow, width);',
    to: 'load<i32>(index + (r << 2)) * fromRow, width + (r == rows - 1 ? 4 : 0));',
  },
  {
    name: 'mask: a block behind the last',
    file: 'assembly/layers/masks.ts',
    from: 'for (let k = 0; k < n; k += 4)',
    to: 'for (let k = 0; k <= n; k += 4)',
  },
  {
    name: 'pool: a vector behind the last row',
    file: 'assembly/layers/pool.ts',
    from: 'k < width && length; k += 16',
    to: 'k <= width && length; k += 16',
  },
  {
    name: 'embedding: one number behind the last row',
    file: 'assembly/layers/dense.ts',
    from: '* rowBytes, rowBytes);',
    to: '* rowBytes, rowBytes + (r == rows - 1 ? 4 : 0));',
  },
  {
    name: 'loss: of the row behind the last',
    file: 'assembly/training/loss.ts',
    from: 'store<f32>(l.losses + (r << 2), loss);\n    y +=',
    to: 'store<f32>(l.losses + (r << 2) + 4, loss);\n    y +=',
  },
  {
    name: 'adam: a vector behind the last parameter',
    file: 'assembly/training/optim.ts',
    from: 'function adam(u: Update): void {\n  for (let k: usize = 0; k < (<usize>u.count) << 2',
    to: 'function adam(u: Update): void {\n  for (let k: usize = 0; k <= (<usize>u.count) << 2',
  },
  {
    name: 'int8: one number behind an unpacked row',
    file: 'assembly/matrix/int8.ts',
    from: 'store<f32>(plain + (k << 2), <f32>load<i8>',
    to: 'store<f32>(plain + (k << 2) + 4, <f32>load<i8>',
  },
  {
    name: 'states: room for one number less',
    file: 'src/graph/buffers.ts',
    from: 'h: plan.reserve(states),',
    to: 'h: plan.reserve(states - 1),',
  },
  {
    name: 'gates: room for one number less',
    file: 'src/graph/buffers.ts',
    from: 'gates: plan.reserve(rows * gateRow),',
    to: 'gates: plan.reserve(rows * gateRow - 1),',
  },
  {
    name: 'a carry: room for one number less of its inputs',
    file: 'src/training/tbptt.ts',
    from: 'plan.reserve(most * this.#width)',
    to: 'plan.reserve(most * this.#width - (most ? 1 : 0))',
  },
  {
    name: 'segments: room for one state less',
    file: 'src/training/segmented.ts',
    from: 'const length = (count + 1) * batch * unit.outputRow;',
    to: 'const length = (count + 1) * batch * unit.outputRow - 1;',
  },
];

const CALLS = 6000;
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
  const args = ['--count', String(CALLS), '--most', '1'];
  const { output } = await run(cwd, 'test/redzone/campaign.mjs', ...args);
  const found = /a write into a red zone.*/.exec(output);
  if (!found && !/kinds of failures/.test(output)) throw new Error(output);
  return found?.[0];
}

const [pattern = ''] = process.argv.slice(2);
const chosen = mutants.filter(({ name, file }) => `${name} ${file}`.includes(pattern));
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
    console.log(`${file.padEnd(20)}${name.padEnd(50)}${found ?? 'NOT NOTICED'}`);
  }
  console.log(`${chosen.length} mutants, ${chosen.length - missed} noticed`);
  if (missed) process.exitCode = 1;
} finally {
  await rm(copy, { recursive: true });
}
