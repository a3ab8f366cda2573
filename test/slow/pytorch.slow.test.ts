/**
 * Where PyTorch is installed: hundreds of random modules that it makes now, and files of ours that
 * it reads. Elsewhere the pack alone.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { saveModel } from '../../src/formats/safetensors.ts';
import { Engine, Model } from '../../src/hosts/default.ts';
import type { LayerSpec } from '../../src/hosts/default.ts';
import { checkPack, worstOf } from '../formats/pytorch-pack.ts';

const FOLDER = new URL('../fixtures/pytorch/', import.meta.url);
/** Packs of so many modules, each of a seed of its own. */
const [PACKS, SIZE] = [Number(process.env.GATEFOLD_PYTORCH_PACKS ?? 10), 40];
const SEED = Number(process.env.GATEFOLD_PYTORCH_SEED ?? 2);
/** Debian's has torch where it is the package's; another comes first in some shells. */
const PYTHONS = ['/usr/bin/python3', 'python3'];

const hasTorch = (python: string): boolean =>
  spawnSync(python, ['-c', 'import torch']).status === 0;

const python = PYTHONS.find(hasTorch);
const script = (name: string): string => fileURLToPath(new URL(name, FOLDER));

it('modules: outputs, and parameters after a step', { timeout: 0 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatefold-'));
  const engine = await Engine.create({ simd: 'deterministic' });
  const total: Record<string, number> = { cases: 0, forward: 0, step: 0 };
  const check = (pack: string | URL): void => {
    const worst = checkPack(engine, readFileSync(pack));
    total.cases! += worst.cases!;
    for (const key of ['forward', 'step']) total[key] = Math.max(total[key]!, worst[key]!);
  };
  try {
    if (!python) check(new URL('pack.pt', FOLDER));
    for (let k = 0; python && k < PACKS; k++) {
      const pack = join(folder, 'pack.pt');
      const made = spawnSync(python, [script('make.py'), pack, String(SIZE), String(SEED + k)]);
      expect(String(made.stderr)).toBe('');
      check(pack);
    }
    console.log(`PyTorch ${python ?? 'is not here'}: ${JSON.stringify(total)}`);
    expect(total.cases).toBe(python ? PACKS * SIZE : 24);
  } finally {
    engine.dispose();
    rmSync(folder, { recursive: true });
  }
});

/** What PyTorch has too. */
const SAVED: readonly LayerSpec[][] = [
  [
    { type: 'lstm', inputSize: 3, hiddenSize: 5, numLayers: 2, bidirectional: true },
    { type: 'pool', mode: 'last' },
    { type: 'linear', outFeatures: 2 },
  ],
  [
    { type: 'embedding', numEmbeddings: 7, embeddingDim: 3 },
    { type: 'gru', hiddenSize: 4, numLayers: 2, bias: false },
    { type: 'layerNorm' },
    { type: 'linear', outFeatures: 7, bias: false },
  ],
  [
    { type: 'conv1d', inChannels: 2, outChannels: 3, kernelSize: 2 },
    { type: 'batchNorm' },
    { type: 'rnn', hiddenSize: 4, nonlinearity: 'relu' },
    { type: 'activation', activation: 'tanh' },
    { type: 'lstm', name: 'projected', hiddenSize: 4, projSize: 2 },
  ],
];

it.skipIf(!python).each(SAVED)('PyTorch reads what saveModel writes', async (...layers) => {
  const folder = mkdtempSync(join(tmpdir(), 'gatefold-'));
  const engine = await Engine.create({ simd: 'deterministic' });
  try {
    const model = Model.create(engine, { layers }, { seed: 3 });
    writeFileSync(join(folder, 'model.safetensors'), saveModel(model));
    const args = [script('check.py'), join(folder, 'model.safetensors')];
    const { stdout, stderr } = spawnSync(python!, args);
    expect(String(stderr)).toBe('');
    const { x, y } = JSON.parse(String(stdout)) as Record<'x' | 'y', { data: number[] }>;
    const input = model.takesTokens ? Int32Array.from(x.data) : Float32Array.from(x.data);
    const { output } = model.forward(input, { steps: 5, batch: 2, batchFirst: true });
    expect(worstOf(output, y.data)).toBeLessThan(1e-6);
  } finally {
    engine.dispose();
    rmSync(folder, { recursive: true });
  }
});
