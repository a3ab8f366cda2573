// Runs every host (npm run test:hosts:slow) and writes the table of docs/hosts.md from what came
// out: nothing in it is typed by hand. With names of test files it runs those, and takes the rest
// from the runs before.
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { GROUPS } from './cases.mjs';
import { forget, recordOf } from './records.mjs';

const page = new URL('../../docs/hosts.md', import.meta.url);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** What no machine of this project can run, and why. */
const NOT_RUN = {
  'Safari, iOS': 'need macOS; the engine is that of WebKitGTK below',
  'macOS, Windows': 'need their own machines',
  Electron: 'its binary is no part of its package; its pages are Chromium, its main process Node',
  'React Native': 'has no WebAssembly: `Engine.create` says so',
};

const row = (...cells) => `| ${cells.join(' | ')} |`;
const code = (text) => `\`${text}\``;

async function tables() {
  const rows = [];
  let checks;
  for (const single of Object.values(GROUPS).flat()) {
    const kept = await recordOf(single).catch(() => undefined);
    if (!kept) {
      rows.push(row(single.host, 'not run yet', single.where, '', '', '', ''));
      continue;
    }
    ({ checks } = kept);
    const { version, command, threads, simd, hash } = kept;
    rows.push(row(single.host, version, single.where, threads, simd, code(hash), code(command)));
  }
  const names = Object.keys(checks);
  return [
    row('check', ...names),
    row('---', ...names.map(() => '---')),
    row('bits', ...names.map((name) => code(checks[name].slice(0, 8)))),
    '',
    row('host', 'version', 'where', 'threads', 'SIMD by default', 'bits', 'command'),
    row(...Array(7).fill('---')),
    ...rows,
    '',
    row('not run', 'why'),
    row('---', '---'),
    ...Object.entries(NOT_RUN).map(([host, why]) => row(host, why)),
  ].join('\n');
}

const files = process.argv.slice(2);
if (files.length === 0) await forget();
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--mode', 'hosts-slow'];
const { status } = spawnSync(process.execPath, [...vitest, ...files], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
const text = await readFile(page, 'utf8');
const marked = /(<!-- table -->\n)[^]*?(<!-- end of table -->)/;
const written = text.replace(marked, `$1\n${await tables()}\n\n$2`);
const options = { ...(await resolveConfig(page)), filepath: page.pathname };
await writeFile(page, await format(written, options));
