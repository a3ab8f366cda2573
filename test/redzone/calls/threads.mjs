/** Engines of shared memory, on this thread alone. */

import * as wrong from '../spoil.mjs';
import { digest } from '../world.mjs';
import { call, kind, lookAt, pure } from './call.mjs';

const SMALL = { layers: [{ type: 'lstm', inputSize: 3, hiddenSize: 5 }] };

pure(
  'ThreadedEngine.create',
  0.09,
  (random) => ({
    args: [{ threads: 1, simd: 'deterministic', maxBytes: random.from(1, 30) * 65536 }],
    spots: [
      [[0], wrong.options],
      [[0, 'threads'], wrong.count(1, 64)],
      [[0, 'simd'], wrong.choice],
    ],
  }),
  async ({ face }, options) => lookAt(await face.threads.ThreadedEngine.create(options)),
);

/** The engine of shared memory of this episode, made where it is not there yet. */
async function sharedModel(side) {
  const options = { threads: 1, simd: 'deterministic', maxBytes: 2 ** 24 };
  const engine = await side.face.threads.ThreadedEngine.create(options);
  return { engine, model: side.face.main.Model.create(engine, SMALL, { seed: 1 }) };
}

kind('shareModel', 0.09, (world, random) =>
  call(
    random,
    [{ maxBytes: 65536 }],
    [
      [[0], wrong.options],
      [[0, 'maxBytes'], wrong.count(4096)],
    ],
    {
      async run(side, options) {
        const { engine, model } = await sharedModel(side);
        side.face.threads.shareModel(model, options);
        engine.dispose();
      },
    },
  ),
);
kind('releaseModel', 0.09, (world, random) => {
  // What has been given back cannot be attached.
  const isUsed = random.chance(0.5);
  return {
    expect: isUsed ? 'bad' : 'ok',
    async run(side) {
      const { engine, model } = await sharedModel(side);
      const { attachModel, releaseModel, shareModel } = side.face.threads;
      const shared = shareModel(model, { maxBytes: 65536 });
      releaseModel(shared);
      try {
        if (isUsed) attachModel(shared);
      } finally {
        engine.dispose();
      }
    },
  };
});
kind('attachModel', 0.09, (world, random) => {
  const x = random.floats(12);
  return {
    given: x,
    async run(side) {
      const { engine, model } = await sharedModel(side);
      const shared = side.face.threads.shareModel(model, { maxBytes: 65536 });
      const attached = side.face.threads.attachModel(shared);
      const { output } = attached.forward(x, { steps: 4 });
      const wanted = model.forward(x, { steps: 4 }).output;
      side.later.push(() =>
        digest(output) === digest(wanted) ? undefined : 'attached, it differs',
      );
      engine.dispose();
      return output;
    },
  };
});
