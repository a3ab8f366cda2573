/** Engines. */

import * as wrong from '../spoil.mjs';
import { kind, lookAt, pure } from './call.mjs';

const engineArgs = (random) => ({
  args: [
    {
      simd: random.pick(['auto', 'deterministic']),
      maxBytes: random.from(1, 30) * 65536,
      wide: random.chance(0.5),
    },
  ],
  spots: [
    [[0], wrong.options],
    [[0, 'simd'], wrong.choice],
    [[0, 'maxBytes'], wrong.count(65536, 2 ** 32 - 65536)],
    [[0, 'wide'], wrong.flag],
  ],
});
pure('Engine.createSync', 0.09, engineArgs, ({ face }, options) => {
  return lookAt(face.main.Engine.createSync(options));
});
pure('Engine.create', 0.09, engineArgs, async ({ face }, options) => {
  return lookAt(await face.main.Engine.create(options));
});
pure(
  'wasmBytes',
  0.09,
  (random) => ({
    args: [{ simd: random.pick(['auto', 'deterministic']) }],
    spots: [
      [[0], wrong.options],
      [[0, 'simd'], wrong.choice],
    ],
  }),
  ({ face }, options) => face.main.wasmBytes(options).length,
);
kind('Engine.bytes', 0.09, (world) => ({
  run: (side) => side.of(world.all.engine[0]).bytes > 0,
}));
kind('Engine.dispose', 0.09, (world, random) => {
  // Of an engine of its own: all that is in it says so from then on.
  const what = random.pick(['model', 'stream', 'trainer', 'bytes']);
  const x = random.floats(4);
  return {
    expect: 'bad',
    run({ face }) {
      const module = face.main.wasmBytes({ simd: 'deterministic' });
      const engine = face.core.Engine.createSync({ module, maxBytes: 2 ** 20 });
      const layers = [{ type: 'gru', inputSize: 2, hiddenSize: 3 }];
      const model = face.main.Model.create(engine, { layers });
      const stream = model.stream();
      const trainer = face.main.Trainer.create(model, { batch: 1, steps: 2, loss: 'mse' });
      engine.dispose();
      engine.dispose();
      if (what === 'model') return model.forward(x, { steps: 2 });
      if (what === 'stream') return stream.run(x, new Float32Array(6), 2);
      if (what === 'trainer') return trainer.trainOn(x, new Float32Array(6));
      return engine.bytes;
    },
    given: x,
  };
});
