/**
 * Starts a script of this directory on the Node that the bench's own packages bring, whatever the
 * machine has: the figures of V8 versions are not comparable. Installs those packages first when
 * they are missing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const shell = process.platform === 'win32';

function run(command, args, options) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

if (!existsSync(here('node_modules'))) {
  // No install scripts: the packages carry their binaries, and onnxruntime-node's script only
  // fetches GPU libraries.
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: here('.'), shell });
}
const [script, ...args] = process.argv.slice(2);
const node = here(shell ? 'node_modules/.bin/node.cmd' : 'node_modules/.bin/node');
run(node, [here(script), ...args], { shell });
