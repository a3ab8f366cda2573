// `npm start`: builds, then trains, both in a process that ends with npm. An npm that is killed
// tells its children nothing, and they would go on for ever.
import { execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const CHECK_MS = 250;
const isWindows = process.platform === 'win32';

/** The npm that started this process, through a shell or not; undefined where nothing tells. */
function npm() {
  if (isWindows || !process.env.npm_lifecycle_event) return undefined;
  try {
    const args = ['-o', 'ppid=,comm=', '-p', String(process.ppid)];
    const [parent, name] = execFileSync('ps', args, { encoding: 'utf8' }).trim().split(/\s+/);
    return name.endsWith('sh') ? Number(parent) : process.ppid;
  } catch {
    return undefined;
  }
}

const starter = npm();

/** Calls `end` when npm has ended; gives what stops that. */
function watch(end) {
  if (starter === undefined) return () => {};
  const timer = setInterval(() => {
    try {
      process.kill(starter, 0);
    } catch {
      clearInterval(timer);
      end();
    }
  }, CHECK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Builds in a group of processes, which is ended as a whole. */
async function build() {
  const child = spawn(process.execPath, [here('build.mjs')], { stdio: 'inherit', detached: true });
  const kill = () => process.kill(isWindows ? child.pid : -child.pid, 'SIGKILL');
  const stop = (name) => {
    kill();
    process.kill(process.pid, name);
  };
  const signals = ['SIGHUP', 'SIGINT', 'SIGTERM'];
  for (const name of signals) process.once(name, stop);
  const ignore = watch(() => stop('SIGTERM'));
  const status = await new Promise((resolve) => child.once('close', resolve));
  ignore();
  for (const name of signals) process.off(name, stop);
  if (status !== 0) process.exit(status ?? 1);
}

await build();
// The command saves, and ends.
watch(() => process.kill(process.pid, 'SIGTERM'));
process.argv.splice(1, 1, here('../dist/cli.js'), 'train');
await import('../dist/cli.js');
