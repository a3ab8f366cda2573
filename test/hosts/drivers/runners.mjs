// Runners of tests, whose files run in realms of their own: a test writes the outcome to a file.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { link, node24, runIn, slow, versionOf } from './slow.mjs';

const TEST = `
test('the outcome', async () => {
  const { outcome } = await import('./outcome.mjs');
  writeFileSync('outcome.json', JSON.stringify(await outcome()));
}, 60_000);
`;
/** By name of the file, a test. */
const TESTS = {
  'esm.test.mjs': `import { writeFileSync } from 'node:fs';${TEST}`,
  'import.test.cjs': `const { writeFileSync } = require('node:fs');${TEST}`,
};

/** What a test has written; the file is gone after. */
async function outcomeOf({ folder, write }, ...program) {
  for (const [name, text] of Object.entries(TESTS)) await write(name, text);
  await runIn(folder, ...program);
  const outcome = JSON.parse(await readFile(join(folder, 'outcome.json'), 'utf8'));
  await rm(join(folder, 'outcome.json'));
  return outcome;
}

/** Jest needs a flag of Node for ES modules. */
export function jest(file, environment) {
  return async (installed) => {
    const config = {
      rootDir: installed.folder,
      testMatch: [`**/${file}`],
      transform: {},
      testEnvironment: slow(`jest-environment-${environment}`),
    };
    await installed.write('jest.json', JSON.stringify(config));
    const program = ['--experimental-vm-modules', slow('jest/bin/jest.js'), '--config=jest.json'];
    const outcome = await outcomeOf(installed, process.execPath, ...program);
    const command = `node --experimental-vm-modules jest.js --env=${environment} ${file}`;
    return { version: versionOf(slow('jest')), command, ...outcome };
  };
}

export function vitest(pool, environment) {
  return async (installed) => {
    await link(installed, ['vitest', 'jsdom']);
    const options = [`--pool=${pool}`, `--environment=${environment}`];
    const program = [slow('vitest/vitest.mjs'), 'run', 'esm', '--globals', ...options];
    const outcome = await outcomeOf(installed, node24, ...program);
    return {
      version: versionOf(slow('vitest')),
      command: `vitest run ${options.join(' ')}`,
      ...outcome,
    };
  };
}
