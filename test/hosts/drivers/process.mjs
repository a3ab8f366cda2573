// Hosts that run a program and print: Node, Deno, Bun.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const VERSION = `globalThis.Deno?.version.deno ?? globalThis.Bun?.version ?? process.versions.node`;
const PRINT = `.then((outcome) => console.log(JSON.stringify({ version: ${VERSION}, ...outcome })))`;

/** By name of the file, what runs the outcome and prints it. */
const PROGRAMS = {
  'run.mjs': `import { outcome } from './outcome.mjs';
outcome()${PRINT};`,
  'run.cjs': `require('./outcome.cjs').outcome()${PRINT};`,
  'thread.mjs': `import { Worker } from 'node:worker_threads';
new Promise((resolve, reject) => {
  const worker = new Worker(new URL('thread-inside.mjs', import.meta.url));
  worker.once('message', resolve);
  worker.once('error', reject);
})${PRINT};`,
  'thread-inside.mjs': `import { parentPort } from 'node:worker_threads';
import { outcome } from './outcome.mjs';
outcome().then((outcome) => parentPort.postMessage(outcome));`,
  'worker.mjs': `const worker = new Worker(new URL('worker-inside.mjs', import.meta.url), { type: 'module' });
new Promise((resolve, reject) => {
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(message));
})${PRINT}.then(() => worker.terminate());`,
  'worker-inside.mjs': `import { outcome } from './outcome.mjs';
outcome().then((outcome) => postMessage(outcome));`,
};

/**
 * Runs one of the programs. The table shows `command`, whose first word stands for the words that
 * `binary` gives, and FOLDER for where the program is; `prepare` makes of it what else is run.
 */
export function program(binary, command, prepare = () => {}) {
  return async (installed) => {
    const { folder, write } = installed;
    for (const [file, text] of Object.entries(PROGRAMS)) await write(file, text);
    await prepare(installed);
    const args = command.split(' ').map((word) => word.replace('FOLDER', folder));
    const [file, ...rest] = [...(await binary()), ...args.slice(1)];
    const env = { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1' };
    const { stdout } = await promisify(execFile)(file, rest, { cwd: folder, env });
    return { command: command.replaceAll('FOLDER', '.'), ...JSON.parse(stdout) };
  };
}
