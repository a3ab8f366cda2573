/** That the mutants and their table fit the sources: to try all of them takes much longer. */
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
// @ts-expect-error a script
import { mutants } from '../mutants.mjs';
// @ts-expect-error a script
import { faults } from '../redzone/faults.mjs';

/** Structs, constants, lists, and tiles that a script writes. */
const NO_KERNELS =
  /^(index|cells\/index|shared\/.*|base\/(abort|structs|tables)|matrix\/gen\/.*)\.ts$/;

it('every mutant finds its place, and the table names no other', () => {
  const command = ['test/mutate.mjs', '--check'];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

it('every fault of the red zones finds its place', () => {
  const places = ({ file, from }: { file: string; from: string }): number =>
    readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8').split(from).length - 1;
  const strange = (faults as { name: string; file: string; from: string }[]).filter(
    (fault) => places(fault) !== 1,
  );
  expect(strange.map(({ name }) => name)).toEqual([]);
});

it('every file of kernels has at least three mutants', () => {
  const folder = new URL('../../assembly', import.meta.url);
  const kernels = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.ts') && !NO_KERNELS.test(path),
  );
  const count = (path: string): number =>
    (mutants as { file: string }[]).filter(({ file }) => file === `assembly/${path}`).length;
  expect(kernels.length).toBeGreaterThan(20);
  expect(kernels.filter((path) => count(path) < 3)).toEqual([]);
});
