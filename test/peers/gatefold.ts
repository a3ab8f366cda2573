/** gatefold's side of a problem. */
import { Model, type Engine } from '../../src/index.ts';
import { toStateDict } from '../support/product.ts';
import type { PeerProblem } from './problems.ts';

export function createModel(engine: Engine, problem: PeerProblem): Model {
  const model = Model.create(engine, problem.description);
  model.loadStateDict(toStateDict(problem.parameters));
  return model;
}
