/** `gatefold info`: what the host has, and what each of it brings. */
import { expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';

it('says what the host has, within a few seconds', () => {
  const started = performance.now();
  const { status, stdout, stderr } = runCommand('.', 'info');
  const seconds = (performance.now() - started) / 1e3;
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const fact = (name: string): string => new RegExp(`^${name} +(.*)$`, 'm').exec(stdout)![1]!;
  expect(fact('host')).toBe(
    `Node ${process.versions.node}, V8 ${process.versions.v8}, ${process.platform}`,
  );
  expect(fact('processor')).toContain(process.arch);
  expect(['relaxed', 'baseline']).toContain(fact('variant'));
  const hasLane = Number.parseInt(process.versions.v8, 10) >= 13 && process.arch === 'x64';
  expect(fact('fast lane').startsWith('needs')).toBe(!hasLane);
  // What an hour of other work could take away is not tested: times are times.
  const rows = stdout.match(/^.* (?:us|ms|s)(?: +[\d.]+ x)?$/gm)!;
  expect(rows.length).toBeGreaterThanOrEqual(2);
  expect(rows[0]).toMatch(/^baseline +[\d.]+ us +[\d.]+ ms$/);
  for (const row of rows.slice(1)) expect(row).toMatch(/ [\d.]+ us +[\d.]+ ms +[\d.]+ x$/);
  // 2 seconds of measuring, and the start of a process on a machine that is busy.
  expect(Number(/within ([\d.]+) s/.exec(stdout.replaceAll('\n', ' '))![1])).toBeLessThan(10);
  expect(seconds).toBeLessThan(20);
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

it('takes no arguments', () => {
  const { status, stderr } = runCommand('.', 'info', 'model.safetensors');
  expect(status).toBe(2);
  expect(stderr).toContain('too many arguments');
});
