/** gatefold's side of a problem. */
import { Model, Trainer, type Engine } from '../../src/hosts/default.ts';
import type { StateDict } from '../../src/base/tensor.ts';
import type { TfjsResult } from './tfjs.ts';
import { toModelState, toStateDict } from '../support/product.ts';
import type { PeerProblem } from './problems.ts';

export function createModel(engine: Engine, problem: PeerProblem): Model {
  const model = Model.create(engine, problem.description);
  model.loadStateDict(toStateDict(problem.parameters));
  return model;
}

export function arraysOf(tensors: StateDict): Map<string, Float32Array> {
  return new Map([...tensors].map(([name, { data }]) => [name, data]));
}

/** gatefold's side of `differentiateInTfjs`. */
export function differentiate(engine: Engine, problem: PeerProblem): TfjsResult {
  const { name, dims } = problem;
  const { steps, batch, ...rows } = dims;
  const model = createModel(engine, problem);
  const trainer = Trainer.create(model, { steps, batch });
  const { output, state } = trainer.forward(Float32Array.from(problem.input), {
    ...rows,
    state: toModelState(problem.initial),
  });
  trainer.zeroGradients();
  const backward = trainer.backward({
    output: Float32Array.from(problem.doutput),
    state: toModelState(problem.dstate),
  });
  const gradients = arraysOf(trainer.gradients());
  gradients.set('input', backward.input!);
  const initial = backward.state[name]!;
  gradients.set('initial h', initial.h);
  if (initial.c) gradients.set('initial c', initial.c);
  trainer.dispose();
  model.dispose();
  const { h, c } = state[name]!;
  return { output, states: c ? [h, c] : [h], gradients };
}
