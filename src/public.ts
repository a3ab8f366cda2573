// What every entry exports beside its own `Engine`.
export { greedyCtc, labelErrorRate } from './ctc.ts';
export { TextBatches, UNKNOWN, Vocabulary, splitByPosition } from './data/text.ts';
export type { TextWindow } from './data/text.ts';
export { gradientFlow } from './flow.ts';
export type { FlowBatch, GradientFlow, LayerFlow } from './flow.ts';
export type { Gates } from './model/gates.ts';
export type { ParameterGroup } from './groups.ts';
export { GatefoldError } from './base/errors.ts';
export type { ErrorCode } from './base/errors.ts';
export type {
  Checkpoint,
  FitEvent,
  FitOptions,
  FitProgress,
  TrainingData,
  TrainingWindow,
} from './fit-options.ts';
export type {
  CtcOptions,
  CrossEntropyOptions,
  ElementLossOptions,
  LossChoice,
  LossOptions,
} from './loss.ts';
export type { Measures, Metric } from './metrics.ts';
export { Model } from './model/model.ts';
export type { ModelOptions } from './model/model.ts';
export type {
  AdagradOptions,
  AdamOptions,
  OptimizerOptions,
  RmspropOptions,
  SgdOptions,
} from './optimizer.ts';
export { ReduceOnPlateau, cosineDecay, linearDecay, stepDecay } from './schedules.ts';
export type { Schedule } from './schedules.ts';
export { Stream } from './model/stream.ts';
export type { StreamOptions } from './model/stream.ts';
export { Trainer } from './train.ts';
export type {
  GradClip,
  InputGradients,
  OutputGradients,
  Snapshot,
  StepReport,
  TrainerOptions,
  TrainingSequenceOptions,
  UpdateReport,
  WindowOptions,
} from './train.ts';
export type * from './ops/specs.ts';
