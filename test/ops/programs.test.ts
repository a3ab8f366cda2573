import { expect, it } from 'vitest';
import { loadModel, writeSafetensors } from '../../src/formats/safetensors.ts';
import { Model } from '../../src/hosts/default.ts';
import type { LayerSpec } from '../../src/hosts/default.ts';
import { createEngine } from '../support/engines.ts';

// No file here may import the reader of ONNX.
it('a program is refused by the name of what makes it', () => {
  const engine = createEngine('relaxed');
  const step = { op: 'copy', to: [1, 0], a: [0, 0], axes: [[4, 1, 1, 0]] } as const;
  const layer: LayerSpec = {
    type: 'program',
    inputSizes: [4],
    tensors: [4],
    steps: [step],
    outputs: [{ size: 4, from: [1, 0] }],
  };
  const message = /'program', a kind that nothing has loaded: import 'gatefold\/formats\/onnx'/;
  expect(() => Model.create(engine, { layers: [layer] })).toThrow(message);
  const metadata = {
    'gatefold.format': '2',
    'gatefold.model': JSON.stringify({ layers: [layer] }),
  };
  const file = writeSafetensors(new Map(), metadata);
  expect(() => loadModel(engine, file)).toThrow(message);
  engine.dispose();
});
