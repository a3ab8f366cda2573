/**
 * Kills processes that save and train with SIGKILL, which nothing can catch, and resumes each: what
 * they leave must be whole, and in the end the same to the last bit as without any kill.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { COMMAND, TINY, runCommand } from './command.ts';
import type { Random } from './random.ts';

/** What a campaign has seen. */
export interface Kills {
  kills: number;
  /** Of them, those that left a part of a file behind: they hit a save. */
  inSaves: number;
  /** Runs that came to their end after kills, each compared with one that was never killed. */
  finished: number;
}

const ENTRY = pathToFileURL(join(COMMAND, '../node.js')).href;
const isPart = (name: string): boolean => name.endsWith('.part');
const partsIn = (folder: string): string[] => readdirSync(folder).filter(isPart);

interface Ended {
  readonly status: number | null;
  readonly stderr: string;
}

/**
 * Starts a process and kills it when `ready` says so, at latest after `latestMs`; gives its status,
 * null where it was killed.
 */
async function killed(
  folder: string,
  args: readonly string[],
  when: { ready: (() => boolean) | undefined; latestMs: number },
): Promise<Ended> {
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stdout.resume();
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  const { latestMs, ready } = when;
  const timer = latestMs < Infinity ? setTimeout(kill, latestMs) : undefined;
  const watch = ready && setInterval(() => ready() && kill(), 0);
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  clearInterval(watch);
  return { status, stderr };
}

/** What every kill must leave: a whole file where there was one, and one part at most. */
function checkLeft(folder: string, path: string, before: boolean, seen: Kills): void {
  seen.kills++;
  const parts = partsIn(folder);
  // The next save removes what the last kill left: they do not add up.
  expect(parts.length).toBeLessThanOrEqual(1);
  seen.inSaves += parts.length;
  if (before) expect(existsSync(path)).toBe(true);
  if (existsSync(path)) readSafetensors(readFileSync(path));
}

/** Kills of `gatefold train`: as soon as a save has begun, and at any time. */
export async function killTrainings(
  root: string,
  kills: { inSaves: number; anywhere: number },
  random: Random,
): Promise<Kills> {
  const seen: Kills = { kills: 0, inSaves: 0, finished: 0 };
  const folder = join(root, 'trainings');
  const texts = join(root, 'texts');
  for (const made of [folder, texts]) mkdirSync(made);
  const text = join(texts, 'text.txt');
  writeFileSync(text, readFileSync(new URL('../../src/base/tensor.ts', import.meta.url)));
  const options = [text, ...TINY, '--epochs', '40', '--patience', '40'];
  expect(runCommand(texts, 'train', ...options, '--out', 'straight').status).toBe(0);
  const straight = readFileSync(join(texts, 'straight'));
  const out = join(folder, 'run');
  /** A run that has come to its end. */
  const compare = ({ status, stderr }: Ended): void => {
    // It may have been killed after its last save.
    const isOver = status === 2 && stderr.includes('has finished its 40 epochs');
    if (!isOver) expect([status, stderr]).toEqual([0, '']);
    seen.finished++;
    expect(readFileSync(out).equals(straight)).toBe(true);
    expect(readdirSync(folder)).toEqual(['run']);
    rmSync(out);
  };
  const total = kills.inSaves + kills.anywhere;
  for (;;) {
    const before = existsSync(out);
    const isOver = seen.kills === total;
    const start = before ? [text, '--resume', out] : [...options, '--out', 'run'];
    const old = new Set(partsIn(folder));
    const hasBegun = (): boolean => partsIn(folder).some((name) => !old.has(name));
    const inSave = seen.kills < kills.inSaves;
    const latestMs = isOver || inSave ? Infinity : random.integer(150, 900);
    const when = { latestMs, ready: inSave ? hasBegun : undefined };
    const ended = await killed(folder, [COMMAND, 'train', ...start], when);
    if (ended.status !== null) {
      compare(ended);
      if (isOver) return seen;
      continue;
    }
    expect(ended.stderr).toBe('');
    checkLeft(folder, out, before, seen);
  }
}

/** Kills of a program that saves a file of some megabytes again and again. */
export async function killSaves(root: string, kills: number, random: Random): Promise<Kills> {
  const seen: Kills = { kills: 0, inSaves: 0, finished: 0 };
  const folder = join(root, 'saves');
  mkdirSync(folder);
  const path = join(folder, 'run.safetensors');
  const script = `
    import { Engine, Model, Trainer, checkpointFile } from ${JSON.stringify(ENTRY)};
    const engine = await Engine.create({ simd: 'deterministic' });
    const layers = [{ type: 'lstm', inputSize: 128, hiddenSize: 256 }];
    const trainer = Trainer.create(Model.create(engine, { layers }), { batch: 1, steps: 1, loss: 'mse' });
    const file = checkpointFile(${JSON.stringify(path)}, trainer);
    const data = { length: 1e6, window: () => ({ inputs: new Float32Array(128), targets: new Float32Array(256), steps: 1 }) };
    const resume = await file.load();
    if (resume) console.error('resumed');
    await trainer.fit(data, { epochs: 1, resume, checkpoint: { every: 1, save: file.save } });`;
  const args = ['--input-type=module', '-e', script];
  while (seen.kills < kills) {
    const before = existsSync(path);
    const old = new Set(partsIn(folder));
    let left = random.integer(1, 60);
    const when = {
      latestMs: Infinity,
      // Some turns of this process after a save has begun: the same save or a later one.
      ready: () => partsIn(folder).some((name) => !old.has(name)) && --left === 0,
    };
    const { status, stderr } = await killed(folder, args, when);
    expect([status, stderr]).toEqual([null, before ? 'resumed\n' : '']);
    checkLeft(folder, path, before, seen);
  }
  return seen;
}
