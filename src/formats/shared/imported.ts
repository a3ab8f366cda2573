import type { Engine } from '../../engine/engine.ts';
import { Model } from '../../model/model.ts';
import type { Metadata } from '../../model/model.ts';
import type { ModelDescription } from '../../ops/index.ts';
import type { StateDict } from '../../base/tensor.ts';

/** What a reader found in a file: a model, all but the engine. */
export interface ImportedModel {
  /** What `Model.create` takes. */
  readonly description: ModelDescription;
  /** Parameters by the names of `stateDict()` of such a model. */
  readonly tensors: StateDict;
  /** What else the file says: names of classes, a sample rate. */
  readonly metadata: Metadata;
}

/** The model that a reader found, in an engine. */
export function build(engine: Engine, { description, tensors, metadata }: ImportedModel): Model {
  const model = Model.create(engine, description, { init: 'zeros', metadata });
  try {
    model.loadStateDict(tensors);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}
