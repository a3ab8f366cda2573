// What every entry exports beside its own `Engine`.
export { greedyCtc, labelErrorRate } from '../training/losses/ctc-decode.ts';
export { TextBatches, UNKNOWN, Vocabulary, splitByPosition } from '../data/text.ts';
export type { TextWindow } from '../data/text.ts';
export { gradientFlow } from '../training/gradient-flow.ts';
export type { FlowBatch, GradientFlow, LayerFlow } from '../training/gradient-flow.ts';
export type { Gates } from '../model/gates.ts';
export type { ParameterGroup } from '../training/optim/groups.ts';
export { GatefoldError } from '../base/errors.ts';
export type { ErrorCode } from '../base/errors.ts';
export type {
  Checkpoint,
  FitEvent,
  FitOptions,
  FitProgress,
  FitRun,
  TrainingData,
  TrainingWindow,
} from '../training/fit-options.ts';
export type {
  CtcOptions,
  CrossEntropyOptions,
  ElementLossOptions,
  LossChoice,
  LossOptions,
} from '../training/losses/index.ts';
export type { LossChoices, TargetArrays } from '../training/losses/losses.ts';
export type { Measures, Metric } from '../training/metrics.ts';
export { Model } from '../model/model.ts';
export type {
  ForwardOptions,
  Metadata,
  ModelInput,
  ModelOptions,
  ModelOutput,
} from '../model/model.ts';
export type { Quantization, QuantizeOptions, QuantizeSample } from '../model/quantization.ts';
export type {
  AdagradOptions,
  AdamOptions,
  OptimizerOptions,
  RmspropOptions,
  SgdOptions,
} from '../training/optim/optimizer.ts';
export {
  ReduceOnPlateau,
  cosineDecay,
  linearDecay,
  stepDecay,
} from '../training/optim/schedules.ts';
export { seededRandom } from '../base/random.ts';
export { argmax, sampleToken, softmax, topK } from '../model/outputs.ts';
export type { RankedClass, SampleOptions, SoftmaxOptions } from '../model/outputs.ts';
export type { PlateauOptions, Schedule } from '../training/optim/schedules.ts';
export { summary } from '../model/summary.ts';
export type { SummaryOptions } from '../model/summary.ts';
export { Stream } from '../model/stream.ts';
export type { StreamOptions } from '../model/stream.ts';
export { Trainer } from '../training/trainer.ts';
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
} from '../training/trainer.ts';
export type * from '../base/tensor.ts';
export type {
  Activation,
  ActivationName,
  ActivationSpec,
  Mathematics,
  MathematicsSpec,
  RowActivation,
} from '../ops/activations.ts';
export { defineLayers } from '../ops/define.ts';
export type * from '../ops/index.ts';
export type { InitialState } from '../ops/recurrent/initial.ts';
