import { Model, Trainer, type Engine } from '../../src/hosts/default.ts';
import { sameBits } from './agreement.ts';
import { problemOf, type Configuration } from './configuration.ts';
import { toInput, toStateDict } from './product.ts';
import { createRandom } from './random.ts';

/** Everything that inference and two updates of a configuration leave behind. */
function courseOf(engine: Engine, configuration: Configuration): Map<string, Float32Array> {
  const problem = problemOf(configuration);
  const { steps, batch, lengths } = problem.dims;
  const model = Model.create(engine, problem.description, { init: 'zeros' });
  model.loadStateDict(toStateDict(problem.parameters));
  const trainer = Trainer.create(model, {
    batch,
    steps,
    seed: 4,
    optimizer: { type: 'adamw', lr: 0.01 },
    onNonFinite: 'skip',
  });
  const left = new Map<string, Float32Array>();
  const random = createRandom(configuration.seed);
  const x = toInput(problem);
  const { output } = model.forward(x, { steps, batch, lengths });
  left.set('inference', output);
  for (const pass of ['first', 'second']) {
    const { output, state } = trainer.forward(x, { lengths });
    left.set(`${pass} output`, output);
    const gradient = Float32Array.from(random.vector(output.length, 1));
    const flow = pass === 'second';
    const { input, state: initial, flow: measured } = trainer.backward({ output: gradient, flow });
    if (input) left.set(`${pass} gradient of x`, input);
    for (const [what, states] of Object.entries({ state, initial })) {
      for (const [layer, { h, c }] of Object.entries(states)) {
        left.set(`${pass} ${what} ${layer} h`, h);
        if (c) left.set(`${pass} ${what} ${layer} c`, c);
      }
    }
    if (measured)
      left.set(
        'flow',
        Float32Array.from(JSON.stringify(measured), (c) => c.charCodeAt(0)),
      );
    for (const [name, { data }] of trainer.gradients())
      left.set(`${pass} gradient of ${name}`, data);
    trainer.update();
    for (const [name, { data }] of model.stateDict()) left.set(`${pass} ${name}`, data);
  }
  trainer.dispose();
  const isClass = configuration.seed % 2 === 0;
  const loss = isClass ? 'cross-entropy' : 'mse';
  const learner = Trainer.create(model, { batch, steps, loss, onNonFinite: 'skip' });
  const rows = output.length / model.outputSize;
  const target = isClass
    ? Int32Array.from({ length: rows }, () => random.integer(0, model.outputSize - 1))
    : Float32Array.from(random.vector(rows * model.outputSize, 1));
  const report = learner.trainOn(x, target, { lengths });
  left.set(loss, Float32Array.of(report.loss, report.gradNorm));
  learner.dispose();
  model.dispose();
  return left;
}

/** Throws where one engine leaves other bits behind than the other one, which is the measure. */
export function requireSameCourse(
  engine: Engine,
  measure: Engine,
  configuration: Configuration,
  what: string,
): void {
  const expected = courseOf(measure, configuration);
  for (const [name, bits] of courseOf(engine, configuration)) {
    if (!sameBits(bits, expected.get(name)!)) throw new Error(`${what}: other ${name}`);
  }
}
