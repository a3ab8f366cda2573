import { Model, type Engine } from '../../src/hosts/default.ts';
import { recurrentLayer, type CellForm } from './cells.ts';
import { createRandom } from './random.ts';
import { toStateDict } from './product.ts';
import { parameterShapes } from '../reference/layers.ts';

/** Below this a state must be 0; the smallest normal float32 is 1.2e-38. */
const SMALLEST = 1e-30;

function check(what: string, values: Float32Array): void {
  for (const value of values) {
    if (value !== 0 && !(Math.abs(value) >= SMALLEST)) throw new Error(`${what}: ${value}`);
  }
}

/**
 * Feeds a signal, then zeros, to a network without biases whose states therefore decay towards 0;
 * throws where an output of the recurrent layer or a state is not 0 and below 1e-30, or where they
 * never became 0.
 */
export function silence(engine: Engine, form: CellForm, frames: number): void {
  const description = {
    layers: [recurrentLayer(form, { inputSize: 3, hiddenSize: 7, numLayers: 2, bias: false })],
  };
  const random = createRandom(11);
  const parameters = new Map(
    [...parameterShapes(description)].map(([name, shape]) => [
      name,
      {
        shape,
        data: random.vector(
          shape.reduce((a, b) => a * b),
          0.3,
        ),
      },
    ]),
  );
  const model = Model.create(engine, description);
  model.loadStateDict(toStateDict(parameters));
  const batch = 2;
  const stream = model.stream({ batch });
  const signal = Float32Array.from(random.vector(100 * batch * 3, 1));
  stream.run(signal, new Float32Array(100 * batch * 7), 100);

  // Step by step through the decay, then in blocks of audio.
  const [zeros, out] = [new Float32Array(128 * batch * 3), new Float32Array(128 * batch * 7)];
  const checkStates = (): void => {
    for (const { h, c } of Object.values(stream.save())) {
      check('h', h);
      if (c) check('c', c);
    }
  };
  for (let frame = 0; frame < 2000; frame++) {
    stream.step(zeros.subarray(0, batch * 3), out.subarray(0, batch * 7));
    check('output', out.subarray(0, batch * 7));
    checkStates();
  }
  for (let frame = 2000; frame < frames; frame += 128) {
    stream.run(zeros, out, 128);
    check('output', out);
    checkStates();
  }
  const { h } = Object.values(stream.save())[0]!;
  if (!h.every((value) => value === 0)) throw new Error('the state has not decayed');
  model.dispose();
}
