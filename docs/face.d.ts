// The public face, written by `npm run face`: each declaration with the entries that export it.
// Entries:
//   gatefold
//   gatefold/baseline
//   gatefold/core
//   gatefold/worklet
//   gatefold/node
//   gatefold/node/score-worker
//   gatefold/sessions
//   gatefold/data
//   gatefold/kernels
//   gatefold/threads
//   gatefold/threads/worker
//   gatefold/browser
//   gatefold/browser/worker
//   gatefold/formats/audio
//   gatefold/formats/keras
//   gatefold/formats/layouts
//   gatefold/formats/pytorch
//   gatefold/formats/onnx
//   gatefold/formats/npz
//   gatefold/formats/safetensors
//   gatefold/formats/tf1
//   gatefold/formats/tfjs
//   gatefold/wasm/gatefold.wasm
//   gatefold/wasm/gatefold-relaxed.wasm
//   gatefold/package.json

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node, gatefold/kernels
type Activation = ActivationName | ActivationSpec;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ActivationLayerSpec {
  readonly type: 'activation';
  readonly name?: string;
  readonly activation: RowActivation;
  readonly inputSize?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node, gatefold/kernels
type ActivationName =
  | 'relu'
  | 'tanh'
  | 'sigmoid'
  | 'affine'
  | 'leakyRelu'
  | 'thresholdedRelu'
  | 'scaledTanh'
  | 'hardSigmoid'
  | 'elu'
  | 'softsign'
  | 'softplus'
  | 'identity'
  | 'gelu'
  | 'silu'
  | 'selu';

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node, gatefold/kernels
interface ActivationSpec {
  readonly type: ActivationName;
  readonly alpha?: number;
  readonly beta?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface AdagradOptions extends CommonOptions {
  readonly type: 'adagrad';
  readonly eps?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface AdamOptions extends CommonOptions {
  readonly type: 'adam' | 'adamw';
  readonly betas?: readonly [number, number];
  readonly eps?: number;
}

// no entry, but others name it
type AnyComplete =
  | CompleteEmbedding
  | CompleteRecurrent<RecurrentLayerSpec>
  | CompleteLinear
  | CompletePool
  | CompleteReduce
  | CompleteDropout
  | CompleteActivation
  | CompleteNorm
  | CompleteConv1d
  | CompleteConvTranspose1d
  | CompleteConcat
  | CompleteSlice
  | CompleteSplit
  | CompleteReverse
  | CompleteUnfold
  | CompleteFlatten
  | CompleteReshape
  | CompleteRepeat
  | CompleteJoin
  | CompleteMaxPool1d
  | CompleteAveragePool1d
  | CompleteUpsample1d
  | CompleteAttention
  | CompletePrelu
  | CompleteScale
  | CompleteDelay
  | CompleteMasking
  | CompleteProgram;

// no entry, but others name it
type AnySpec =
  | EmbeddingSpec
  | RecurrentLayerSpec
  | LinearSpec
  | TiedLinearSpec
  | PoolSpec
  | ReduceSpec
  | DropoutSpec
  | ActivationLayerSpec
  | LayerNormSpec
  | RmsNormSpec
  | BatchNormSpec
  | Conv1dSpec
  | ConvTranspose1dSpec
  | ConcatSpec
  | SliceSpec
  | SplitSpec
  | ReverseSpec
  | UnfoldSpec
  | FlattenSpec
  | ReshapeSpec
  | RepeatSpec
  | JoinSpec
  | MaxPool1dSpec
  | AveragePool1dSpec
  | Upsample1dSpec
  | AttentionSpec
  | PreluSpec
  | ScaleSpec
  | DelaySpec
  | MaskingSpec
  | ProgramSpec;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface AttentionSpec {
  readonly type: 'attention';
  readonly name?: string;
  readonly score?: 'dot' | 'scaledDot' | 'additive' | 'concat';
  readonly heads?: number;
  readonly scale?: boolean;
  readonly causal?: boolean;
  readonly inputSizes?: readonly number[];
}

// gatefold/formats/audio
interface AudioOptions {
  readonly description?: ModelDescription;
}

// gatefold/formats/audio
type AudioSource = Uint8Array | ArrayBuffer | string | object;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface AveragePool1dSpec extends Omit<MaxPool1dSpec, 'type'> {
  readonly type: 'averagePool1d';
  readonly countPadding?: boolean;
}

// gatefold/node
interface BadRecord<R> {
  readonly index: number;
  readonly record: R;
  readonly error: GatefoldError;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface BatchNormSpec {
  readonly type: 'batchNorm';
  readonly name?: string;
  readonly inputSize?: number;
  readonly eps?: number;
  readonly scale?: boolean;
  readonly bias?: boolean;
  readonly momentum?: number;
  readonly unbiased?: boolean;
  readonly frozen?: boolean;
}

// gatefold/data
interface BucketOptions {
  readonly batch: number;
  readonly features?: number;
  readonly per?: 'sequence' | 'step';
  readonly pool?: number;
  readonly seed?: number;
}

// gatefold/browser
class ByteStore {
  readonly database: string;
  constructor(database?: string);
  read(name: string): Promise<ReturnType<typeof Uint8Array.of> | undefined>;
  write(name: string, bytes: Uint8Array | ArrayBuffer): Promise<void>;
  names(): Promise<string[]>;
  remove(name: string): Promise<void>;
}

// no entry, but others name it
type Cell = RnnSpec | LstmSpec | GruSpec;

// gatefold/formats/layouts
interface CellParameters {
  readonly weight_ih: Tensor;
  readonly weight_hh: Tensor;
  readonly bias_ih?: Tensor;
  readonly bias_hh?: Tensor;
  readonly weight_peephole?: Tensor;
  readonly h0?: Tensor;
  readonly c0?: Tensor;
}

// gatefold/formats/layouts
interface CellPlace {
  readonly subLayer?: number;
  readonly reverse?: boolean;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface Checkpoint {
  readonly every?: number;
  save(snapshot: Snapshot): void | Promise<void>;
}

// gatefold/node
interface CheckpointFile extends Checkpoint {
  load(): Promise<Snapshot | undefined>;
}

// no entry, but others name it
interface CommonOptions {
  readonly learningRate?: number;
  readonly lr?: number;
  readonly form?: 'pytorch' | 'keras';
  readonly weightDecay?: number;
}

// no entry, but others name it
type CompleteActivation = Required<ActivationLayerSpec>;

// no entry, but others name it
type CompleteAttention = Required<AttentionSpec>;

// no entry, but others name it
type CompleteAveragePool1d = Required<AveragePool1dSpec>;

// no entry, but others name it
type CompleteConcat = Required<ConcatSpec>;

// no entry, but others name it
type CompleteConv1d = Required<Omit<Conv1dSpec, 'activation'>> & Pick<Conv1dSpec, 'activation'>;

// no entry, but others name it
type CompleteConvTranspose1d = Required<Omit<ConvTranspose1dSpec, 'activation'>> &
  Pick<ConvTranspose1dSpec, 'activation'>;

// no entry, but others name it
type CompleteDelay = Required<DelaySpec>;

// no entry, but others name it
type CompleteDropout = Required<DropoutSpec>;

// no entry, but others name it
type CompleteEmbedding = Required<Omit<EmbeddingSpec, 'maskZero'>> &
  Pick<EmbeddingSpec, 'maskZero'>;

// no entry, but others name it
type CompleteFlatten = Required<FlattenSpec>;

// no entry, but others name it
type CompleteJoin = Required<JoinSpec>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type CompleteLayer = Reads & AnyComplete;

// no entry, but others name it
type CompleteLinear = Filled<LinearSpec> | Filled<TiedLinearSpec>;

// no entry, but others name it
type CompleteMasking = Required<MaskingSpec>;

// no entry, but others name it
type CompleteMaxPool1d = Required<MaxPool1dSpec>;

// no entry, but others name it
type CompleteNorm = Required<LayerNormSpec | RmsNormSpec | BatchNormSpec>;

// no entry, but others name it
type CompletePool = Required<PoolSpec>;

// no entry, but others name it
type CompletePrelu = Required<PreluSpec>;

// no entry, but others name it
type CompleteProgram = Required<ProgramSpec>;

// no entry, but others name it
type CompleteRecurrent<T> = T extends {
  merge?: unknown;
}
  ? Required<Omit<T, OptionalKey | 'merge'>> &
      Pick<T, Extract<keyof T, OptionalKey>> & {
        readonly merge: 'concat' | 'sum' | 'mul' | 'mean';
      }
  : never;

// no entry, but others name it
type CompleteReduce = Required<ReduceSpec>;

// no entry, but others name it
type CompleteRepeat = Required<RepeatSpec>;

// no entry, but others name it
type CompleteReshape = Required<Omit<ReshapeSpec, 'inputSteps'>> & Pick<ReshapeSpec, 'inputSteps'>;

// no entry, but others name it
type CompleteReverse = Required<ReverseSpec>;

// no entry, but others name it
type CompleteScale = ScaleSpec & Required<Pick<ScaleSpec, 'name' | 'inputSize'>>;

// no entry, but others name it
type CompleteSlice = Required<SliceSpec>;

// no entry, but others name it
type CompleteSplit = Required<SplitSpec>;

// no entry, but others name it
type CompleteUnfold = Required<UnfoldSpec>;

// no entry, but others name it
type CompleteUpsample1d = Required<Upsample1dSpec>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ConcatSpec {
  readonly type: 'concat';
  readonly name?: string;
  readonly inputSizes?: readonly number[];
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface Conv1dSpec {
  readonly type: 'conv1d';
  readonly name?: string;
  readonly inChannels?: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly padding?: 'valid' | 'same' | 'causal' | readonly [number, number];
  readonly bias?: boolean;
  readonly activation?: RowActivation;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ConvTranspose1dSpec {
  readonly type: 'convTranspose1d';
  readonly name?: string;
  readonly inChannels?: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride?: number;
  readonly padding?: 'valid' | 'same' | number | readonly [number, number];
  readonly outputPadding?: number;
  readonly dilation?: number;
  readonly bias?: boolean;
  readonly activation?: RowActivation;
}

// gatefold/kernels
class Convolution extends HostDisposable {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly dilation: number;
  readonly groups: number;
  readonly padding: 'valid' | 'same' | 'causal' | readonly [number, number];
  private constructor();
  outputSteps(steps: number): number;
  dispose(): void;
}

// gatefold/kernels
interface ConvolutionInput {
  readonly steps: number;
  readonly batch?: number;
  readonly lengths?: ArrayLike<number>;
  readonly state?: Float32Array;
}

// gatefold/kernels
interface ConvolutionOptions {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly padding?: 'valid' | 'same' | 'causal' | readonly [number, number];
  readonly bias?: Float32Array;
}

// gatefold/core, gatefold/worklet
interface CoreEngineOptions {
  readonly module: WasmModule | ArrayBuffer | ArrayBufferView;
  readonly maxBytes?: number;
  readonly wide?: boolean;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface CrossEntropyOptions {
  readonly type: 'cross-entropy';
  readonly classWeights?: ArrayLike<number>;
  readonly ignoreIndex?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface CtcOptions {
  readonly type: 'ctc';
  readonly blank?: number;
  readonly zeroInfinity?: boolean;
  readonly maxLabels?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface DelaySpec {
  readonly type: 'delay';
  readonly name?: string;
  readonly steps: number;
  readonly inputSize?: number;
}

// no entry, but others name it
type Disposes = SymbolConstructor extends {
  readonly dispose: infer Key extends symbol;
}
  ? {
      readonly [key in Key]: () => void;
    }
  : object;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface DropoutSpec {
  readonly type: 'dropout';
  readonly name?: string;
  readonly rate?: number;
  readonly inputSize?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ElementLossOptions {
  readonly type: 'mse' | 'mae' | 'huber' | 'bce';
  readonly delta?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface EmbeddingSpec {
  readonly type: 'embedding';
  readonly name?: string;
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly maskZero?: boolean;
}

// gatefold, gatefold/baseline, gatefold/node
class Engine extends Engine$1 {
  static create(options?: EngineOptions): Promise<Engine>;
  static createSync(options?: EngineOptions): Engine;
}

// gatefold/core, gatefold/worklet
class Engine extends HostDisposable {
  readonly variant: 'relaxed' | 'baseline';
  readonly maxBytes: number;
  protected constructor();
  static create(options: CoreEngineOptions): Promise<Engine>;
  static createSync(options: CoreEngineOptions): Engine;
  get bytes(): number;
  dispose(): void;
}

// gatefold, gatefold/baseline, gatefold/node
interface EngineOptions {
  readonly simd?: 'auto' | 'deterministic';
  readonly maxBytes?: number;
  readonly wide?: boolean;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node, gatefold/browser
type ErrorCode =
  | 'ERR_ARGUMENT'
  | 'ERR_SHAPE'
  | 'ERR_MEMORY'
  | 'ERR_DISPOSED'
  | 'ERR_FORMAT'
  | 'ERR_NON_FINITE'
  | 'ERR_UNSUPPORTED'
  | 'ERR_STATE'
  | 'ERR_THREADS';

// gatefold/formats/safetensors
interface Extras {
  readonly tensors?: ReadonlyMap<string, Tensor>;
  readonly metadata?: Readonly<Record<string, string>>;
}

// no entry, but others name it
type Facts = Pick<
  Model,
  | 'description'
  | 'inputs'
  | 'outputs'
  | 'inputSize'
  | 'outputSize'
  | 'takesTokens'
  | 'pooled'
  | 'parameterCount'
  | 'metadata'
  | 'float32Layers'
>;

// gatefold/node
interface FastLane {
  readonly enabled: boolean;
  readonly flags: readonly string[];
  readonly node: string;
  readonly v8: string;
  readonly reason?: string;
}

// gatefold/browser
interface FetchOptions {
  readonly integrity?: string;
  readonly onProgress?: (progress: FetchProgress) => void;
  readonly signal?: AbortSignal;
  readonly maxBytes?: number;
}

// gatefold/browser
interface FetchProgress {
  readonly received: number;
  readonly total: number | undefined;
}

// no entry, but others name it
type Filled<T extends LinearSpec | TiedLinearSpec> = Required<Omit<T, 'activation'>> &
  Pick<T, 'activation'>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type FitEvent = 'best' | 'rate-reduced' | 'early-stop';

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface FitOptions<Asked extends readonly Metric[] = readonly Metric[]> {
  readonly epochs: number;
  readonly from?: number;
  readonly signal?: {
    readonly aborted: boolean;
  };
  readonly validation?: TrainingData;
  readonly metrics?: Asked;
  readonly learningRate?: Schedule | ReduceOnPlateau;
  readonly earlyStopping?: {
    readonly patience: number;
    readonly minDelta?: number;
  };
  readonly keepBest?: boolean;
  readonly checkpoint?: Checkpoint;
  readonly resume?: Snapshot;
  readonly yieldEvery?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface FitProgress<Asked extends readonly Metric[] = readonly Metric[]> extends StepReport {
  readonly epoch: number;
  readonly epochs: number;
  readonly update: number;
  readonly updates: number;
  readonly targetCount: number;
  readonly learningRate: number;
  readonly validationLoss?: number;
  readonly metrics?: Measures<Asked>;
  readonly best?: number;
  readonly events?: readonly FitEvent[];
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface FitRun<Asked extends readonly Metric[] = readonly Metric[]>
  extends
    AsyncGenerator<FitProgress<Asked>, void, undefined>,
    PromiseLike<FitProgress<Asked> | undefined> {}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface FlattenSpec {
  readonly type: 'flatten';
  readonly name?: string;
  readonly inputSize?: number;
  readonly inputSteps?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface FlowBatch extends Omit<SequenceOptions, 'padding'> {
  readonly x: Inputs;
  readonly target: TargetArrays;
  readonly loss: RowLoss | Readonly<Record<string, RowLoss>>;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ForwardOptions extends SequenceOptions {
  readonly out?: Float32Array | Named;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node, gatefold/browser
class GatefoldError extends Error {
  readonly name = 'GatefoldError';
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string);
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type Gates = Readonly<Record<string, Readonly<Record<string, Float32Array>>>>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type GradClip =
  | {
      readonly norm: number;
    }
  | {
      readonly tensorNorm: number;
    }
  | {
      readonly value: number;
    }
  | {
      readonly step: number;
    };

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type GradientFlow = Readonly<Record<string, LayerFlow>>;

// gatefold/kernels
interface GruCellResult {
  readonly h: Float32Array;
  readonly gates: Float32Array;
}

// gatefold/formats/layouts
interface GruLayout {
  readonly resetAfter?: boolean;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface GruSpec extends RecurrentSpec {
  readonly type: 'gru';
  readonly resetAfter?: boolean;
  readonly layerNorm?: boolean;
}

// gatefold/kernels
interface HostDisposable extends Disposes {}

abstract class HostDisposable {
  abstract dispose(): void;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
const INPUT = 'input';

// gatefold/formats/audio, gatefold/formats/keras, gatefold/formats/onnx, gatefold/formats/tf1, gatefold/formats/tfjs
interface ImportedModel {
  readonly description: ModelDescription;
  readonly tensors: StateDict;
  readonly metadata: Metadata;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface IndrnnSpec extends RecurrentSpec {
  readonly type: 'indrnn';
  readonly nonlinearity?: 'tanh' | 'relu';
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type InitialState =
  | 'zero'
  | 'learned'
  | {
      readonly h: string;
      readonly c?: string;
    };

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type Input = Float32Array | Int32Array;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface InputGradients {
  readonly input?: Float32Array;
  readonly inputs: Readonly<Record<string, Float32Array>>;
  readonly state: ModelState;
  readonly loss?: number;
  readonly infiniteRows?: number;
  readonly flow?: GradientFlow;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface InputSpec {
  readonly name: string;
  readonly size?: number;
  readonly each?: 'step' | 'sequence';
  readonly stepsOf?: string;
  readonly steps?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type Inputs = Numbers | Readonly<Record<string, Numbers>>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface Int8Tensor {
  readonly shape: readonly number[];
  readonly data: Int8Array;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface JoinSpec {
  readonly type: JoinType;
  readonly name?: string;
  readonly inputSizes?: readonly number[];
}

// no entry, but others name it
type JoinType = 'add' | 'subtract' | 'multiply' | 'divide' | 'average';

// gatefold/formats/layouts
type Keras1Cell = Readonly<Record<string, Tensor>>;

// gatefold/formats/layouts
interface Keras1Layouts {
  lstm(arrays: Keras1Cell): CellParameters;
  toLstm(parameters: CellParameters): Keras1Cell;
  gru(arrays: Keras1Cell): CellParameters;
  toGru(parameters: CellParameters): Keras1Cell;
  rnn(arrays: Keras1Cell): CellParameters;
  toRnn(parameters: CellParameters): Keras1Cell;
}

// gatefold/formats/layouts
interface KerasCell {
  readonly kernel: Tensor;
  readonly recurrent: Tensor;
  readonly bias?: Tensor;
}

// gatefold/formats/layouts
interface KerasLayouts {
  lstm(kernel: Tensor, recurrent: Tensor, bias?: Tensor): CellParameters;
  toLstm(parameters: CellParameters): KerasCell;
  gru(kernel: Tensor, recurrent: Tensor, bias?: Tensor, options?: GruLayout): CellParameters;
  toGru(parameters: CellParameters, options?: GruLayout): KerasCell;
  rnn(kernel: Tensor, recurrent: Tensor, bias?: Tensor): CellParameters;
  toRnn(parameters: CellParameters): KerasCell;
  dense(kernel: Tensor): Tensor;
  conv1d(kernel: Tensor): Tensor;
}

// gatefold/formats/keras
interface KerasOptions {
  readonly description?: ModelDescription;
  readonly architecture?: string | object;
  readonly layers?: OwnLayers;
}

// gatefold/kernels
class Kernels {
  private constructor();
  static create(engine: Engine): Kernels;
  matmul(
    a: Float32Array,
    b: Float32Array,
    m: number,
    k: number,
    n: number,
    out?: Float32Array,
  ): Float32Array;
  matmul(a: Float32Array, matrix: Matrix, m: number, out?: Float32Array): Float32Array;
  matrix(w: Float32Array, rows: number, columns: number): Matrix;
  activation(type: Activation, x: Float32Array, out?: Float32Array): Float32Array;
  sigmoid(x: Float32Array, out?: Float32Array): Float32Array;
  tanh(x: Float32Array, out?: Float32Array): Float32Array;
  softmax(
    x: Float32Array,
    temperature?: number,
    out?: Float32Array,
    features?: number,
  ): Float32Array;
  logSoftmax(
    x: Float32Array,
    temperature?: number,
    out?: Float32Array,
    features?: number,
  ): Float32Array;
  layerNorm(
    x: Float32Array,
    features: number,
    options?: LayerNormOptions,
    out?: Float32Array,
  ): Float32Array;
  convolution(w: Float32Array, options: ConvolutionOptions): Convolution;
  conv1d(
    x: Float32Array,
    convolution: Convolution,
    input: ConvolutionInput,
    out?: Float32Array,
  ): Float32Array;
  lstmCell(gates: Float32Array, c: Float32Array, hidden: number): LstmCellResult;
  lstmCellBackward(
    result: LstmCellResult,
    c: Float32Array,
    dh: Float32Array,
    dc: Float32Array,
    hidden: number,
  ): {
    readonly gates: Float32Array;
    readonly c: Float32Array;
  };
  gruCell(x: Float32Array, product: Float32Array, h: Float32Array, hidden: number): GruCellResult;
  gruCellBackward(
    result: GruCellResult,
    product: Float32Array,
    h: Float32Array,
    dh: Float32Array,
    hidden: number,
  ): {
    readonly x: Float32Array;
    readonly product: Float32Array;
    readonly h: Float32Array;
  };
}

// gatefold/data
interface LabelledSequence {
  readonly input: ArrayLike<number>;
  readonly target: number | ArrayLike<number>;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface LayerFlow {
  readonly h: Float64Array;
  readonly c?: Float64Array;
}

// gatefold/kernels
interface LayerNormOptions {
  readonly gamma?: Float32Array;
  readonly beta?: Float32Array;
  readonly epsilon?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface LayerNormSpec {
  readonly type: 'layerNorm';
  readonly name?: string;
  readonly inputSize?: number;
  readonly eps?: number;
  readonly scale?: boolean;
  readonly bias?: boolean;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type LayerSpec = Reads & AnySpec;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface LayerState {
  readonly h: Float32Array;
  readonly c?: Float32Array;
}

// gatefold/formats/layouts
interface Layouts {
  readonly keras: KerasLayouts;
  readonly keras1: Keras1Layouts;
  readonly onnx: OnnxLayouts;
  readonly tf1: Tf1Layouts;
  readonly nam: NamLayouts;
  toStateDict(layer: string, parameters: CellParameters, place?: CellPlace): StateDict;
  fromStateDict(
    state: ReadonlyMap<string, Tensor>,
    layer: string,
    place?: CellPlace,
  ): CellParameters;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type Lengths = ArrayLike<number> | Readonly<Record<string, ArrayLike<number>>>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface LinearSpec {
  readonly type: 'linear';
  readonly name?: string;
  readonly inFeatures?: number;
  readonly outFeatures: number;
  readonly bias?: boolean;
  readonly activation?: RowActivation;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type LossChoice = LossOptions['type'] | LossOptions;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type LossChoices = LossChoice | Readonly<Record<string, LossChoice>>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type LossOptions = RowLossOptions | CtcOptions;

// gatefold/kernels
interface LstmCellResult {
  readonly h: Float32Array;
  readonly c: Float32Array;
  readonly gates: Float32Array;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface LstmSpec extends RecurrentSpec {
  readonly type: 'lstm';
  readonly peephole?: 'diagonal' | 'cell';
  readonly inputForget?: boolean;
  readonly projSize?: number;
  readonly projClip?: number;
  readonly cellClip?: number;
  readonly layerNorm?: boolean;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface MaskingSpec {
  readonly type: 'masking';
  readonly name?: string;
  readonly value?: number;
  readonly inputSize?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type Mathematics = 'abs' | 'neg' | 'sqrt' | 'log' | 'pow' | 'clip';

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface MathematicsSpec {
  readonly type: 'pow' | 'clip';
  readonly alpha?: number;
  readonly beta?: number;
}

// gatefold/kernels
class Matrix extends HostDisposable {
  readonly rows: number;
  readonly columns: number;
  private constructor();
  dispose(): void;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface MaxPool1dSpec {
  readonly type: 'maxPool1d';
  readonly name?: string;
  readonly poolSize: number;
  readonly stride?: number;
  readonly padding?: 'valid' | 'same' | 'causal' | readonly [number, number];
  readonly inputSize?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type Measures<Asked extends readonly Metric[] = readonly Metric[]> = {
  readonly loss: number;
} & (number extends Asked['length']
  ? {
      readonly [name in Asked[number]]?: number;
    }
  : {
      readonly [name in Asked[number]]: number;
    });

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type Metadata = Readonly<Record<string, unknown>>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type Metric = 'accuracy' | 'perplexity' | 'bitsPerCharacter' | 'mae';

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface MinGruSpec extends RecurrentSpec {
  readonly type: 'mingru';
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
class Model extends HostDisposable {
  readonly engine: Engine;
  readonly description: Omit<ModelDescription, 'layers'> & {
    readonly layers: readonly CompleteLayer[];
  };
  readonly inputs: readonly ModelInput[];
  readonly outputs: readonly ModelOutput[];
  readonly inputSize: number;
  readonly outputSize: number;
  readonly takesTokens: boolean;
  readonly pooled: boolean;
  readonly parameterCount: number;
  readonly metadata: Metadata;
  readonly float32Layers: readonly string[];
  private constructor();
  static create(engine: Engine, description: ModelDescription, options?: ModelOptions): Model;
  quantize(options?: QuantizeOptions): Model;
  get quantization(): Quantization | undefined;
  stateDict(): StateDict;
  loadStateDict(tensors: ReadonlyMap<string, Tensor>): void;
  forward(x: Inputs, options?: ForwardOptions): SequenceResult;
  gates(x: Inputs, options?: Omit<SequenceOptions, 'padding'>): Gates;
  warmUp(options?: { readonly batch?: number; readonly steps?: SequenceOptions['steps'] }): void;
  stream(options?: StreamOptions): Stream;
  dispose(): void;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ModelDescription {
  readonly layers: readonly LayerSpec[];
  readonly inputs?: readonly (string | InputSpec)[];
  readonly outputs?: readonly string[];
  readonly steps?: number;
  readonly weights?: 'float32' | 'int8';
  readonly inputWeights?: 'float32' | 'int8';
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ModelInput {
  readonly name: string;
  readonly size: number;
  readonly takesTokens: boolean;
  readonly each: 'step' | 'sequence';
}

// gatefold/browser
interface ModelNode extends AudioWorkletNode {
  readonly ready: Promise<WorkletFacts>;
  load(bytes: Uint8Array | ArrayBuffer): Promise<WorkletFacts>;
  reset(): Promise<void>;
  usage(): Promise<{
    readonly share: number;
    readonly seconds: number;
  }>;
  dispose(): void;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ModelOptions {
  readonly init?: Preset | 'zeros';
  readonly seed?: number;
  readonly metadata?: Metadata;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ModelOutput {
  readonly name: string;
  readonly size: number;
  readonly pooled: boolean;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type ModelState = Readonly<Record<string, LayerState>>;

// gatefold/formats/layouts
interface NamCell {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly h0: Tensor;
  readonly c0: Tensor;
}

// gatefold/formats/layouts
interface NamLayouts {
  lstm(weight: Tensor, bias: Tensor, h0: Tensor, c0: Tensor): CellParameters;
  toLstm(given: CellParameters): NamCell;
}

// no entry, but others name it
type Named = Readonly<Record<string, Float32Array>>;

// no entry, but others name it
type Named = Readonly<Record<string, Float32Array>>;

// no entry, but others name it
type NonFinite = 'propagate' | 'throw' | 'reset';

// gatefold/data
class Normalizer {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  constructor(values: { readonly mean: readonly number[]; readonly deviation: readonly number[] });
  static fit(rows: ArrayLike<number>, features?: number): Normalizer;
  apply(rows: ArrayLike<number>): Float32Array;
  undo(rows: ArrayLike<number>, columns?: readonly number[]): Float32Array;
}

// gatefold/formats/npz
interface NpyArray {
  readonly shape: readonly number[];
  readonly data: NpyData;
  readonly dtype: string;
}

// gatefold/formats/npz
type NpyData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

// gatefold/formats/npz
interface NpySource {
  readonly shape: readonly number[];
  readonly data: NpyData;
}

// gatefold/formats/npz
interface NpzOptions {
  readonly maxBytes?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type Numbers = ArrayLike<number>;

// gatefold/formats/layouts
interface OnnxCell {
  readonly W: Tensor;
  readonly R: Tensor;
  readonly B?: Tensor;
  readonly P?: Tensor;
}

// gatefold/formats/layouts
interface OnnxLayout {
  readonly direction?: 0 | 1;
  readonly inputForget?: boolean;
}

// gatefold/formats/layouts
interface OnnxLayouts {
  lstm(W: Tensor, R: Tensor, B?: Tensor, P?: Tensor, options?: OnnxLayout): CellParameters;
  toLstm(...directions: readonly CellParameters[]): OnnxCell;
  gru(W: Tensor, R: Tensor, B?: Tensor, options?: OnnxLayout): CellParameters;
  toGru(...directions: readonly CellParameters[]): OnnxCell;
  rnn(W: Tensor, R: Tensor, B?: Tensor, options?: OnnxLayout): CellParameters;
  toRnn(...directions: readonly CellParameters[]): OnnxCell;
}

// gatefold/formats/onnx
interface OnnxOptions {
  readonly dims?: Readonly<Record<string, number>>;
  readonly set?: Readonly<Record<string, OnnxValue>>;
  readonly carry?: Readonly<Record<string, string>>;
  readonly data?: ReadonlyMap<string, Uint8Array | ArrayBuffer>;
}

// gatefold/formats/onnx
type OnnxValue =
  | number
  | ArrayLike<number>
  | {
      readonly shape: readonly number[];
      readonly data: ArrayLike<number>;
    };

// gatefold/formats/onnx
interface OnnxWriteOptions {
  readonly states?: boolean;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type OptimizerOptions = SgdOptions | RmspropOptions | AdamOptions | AdagradOptions;

// no entry, but others name it
type OptionalKey =
  | 'activations'
  | 'clip'
  | 'dropout'
  | 'inputDropout'
  | 'recurrentDropout'
  | 'zoneout'
  | 'initialState'
  | 'projSize'
  | 'projClip'
  | 'cellClip'
  | 'layerNorm'
  | 'peephole';

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface OutputGradients {
  readonly targetLengths?: ArrayLike<number>;
  readonly target?: TargetArrays;
  readonly output?: Float32Array | Readonly<Record<string, Float32Array>>;
  readonly state?: ModelState;
  readonly flow?: boolean;
}

// no entry, but others name it
type Outputs = Float32Array | Readonly<Record<string, Float32Array>>;

// no entry, but others name it
type Outputs = Float32Array | Readonly<Record<string, Float32Array>>;

// gatefold/formats/keras, gatefold/formats/tfjs
type OwnLayers = Readonly<Record<string, LayerSpec | string>>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ParameterGroup {
  readonly parameters: readonly string[];
  readonly learningRate?: number;
  readonly lr?: number;
  readonly weightDecay?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface PlateauOptions {
  readonly factor?: number;
  readonly patience?: number;
  readonly threshold?: number;
  readonly thresholdMode?: 'rel' | 'abs';
  readonly cooldown?: number;
  readonly minLr?: number;
  readonly eps?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface PoolSpec {
  readonly type: 'pool';
  readonly name?: string;
  readonly mode: 'last' | 'mean' | 'max';
  readonly inputSize?: number;
}

// gatefold/node
interface PoolWorker {
  postMessage(message: unknown, transfer?: ArrayBuffer[]): void;
  on(event: string, listener: (value: unknown) => void): unknown;
  terminate(): Promise<number>;
  unref(): void;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface PreluSpec {
  readonly type: 'prelu';
  readonly name?: string;
  readonly inputSize?: number;
  readonly shared?: boolean;
}

// no entry, but others name it
type Preset = 'pytorch' | 'keras';

// no entry, but others name it
type ProgramActivation = RowActivation | 'exp' | 'erf';

// no entry, but others name it
type ProgramAxis = readonly [count: number, to: number, a: number, b: number];

// no entry, but others name it
interface ProgramConstant {
  readonly shape: readonly number[];
  readonly isMatrix?: boolean;
}

// no entry, but others name it
interface ProgramImage {
  readonly channels: number;
  readonly input: readonly [number, number];
  readonly output: readonly [number, number];
  readonly taps: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly before: readonly [number, number];
  readonly after: readonly [number, number];
  readonly up: readonly [number, number];
}

// no entry, but others name it
interface ProgramMatrix {
  readonly rows: number;
  readonly depth: number;
  readonly columns: number;
  readonly aRow: number;
  readonly aColumn: number;
  readonly bRow?: number;
  readonly bColumn?: number;
  readonly toRow: number;
  readonly isAdded?: boolean;
}

// no entry, but others name it
interface ProgramOptions {
  readonly simd?: 'auto' | 'deterministic';
  readonly maxBytes?: number;
  readonly program?: string | URL;
}

// no entry, but others name it
type ProgramPlace = readonly [tensor: number, from: number];

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ProgramSpec {
  readonly type: 'program';
  readonly name?: string;
  readonly inputSizes?: readonly number[];
  readonly carries?: readonly {
    readonly size: number;
    readonly from: ProgramPlace;
  }[];
  readonly constants?: readonly ProgramConstant[];
  readonly tensors: readonly number[];
  readonly steps: readonly ProgramStep[];
  readonly outputs: readonly {
    readonly size: number;
    readonly from: ProgramPlace;
  }[];
}

// no entry, but others name it
interface ProgramStep {
  readonly op: string;
  readonly to: ProgramPlace;
  readonly a: ProgramPlace;
  readonly b?: ProgramPlace;
  readonly axes?: readonly ProgramAxis[];
  readonly count?: number;
  readonly size?: number;
  readonly row?: number;
  readonly matrix?: ProgramMatrix;
  readonly image?: ProgramImage;
  readonly rows?: number;
  readonly width?: number;
  readonly activation?: ProgramActivation;
  readonly eps?: number;
  readonly layer?: Cell;
  readonly steps?: number;
  readonly batch?: number;
  readonly from?: readonly (ProgramPlace | null)[];
  readonly last?: readonly (ProgramPlace | null)[];
}

// gatefold/formats/pytorch
interface PytorchFile {
  readonly tensors: StateDict;
  readonly skipped: readonly SkippedTensor[];
  readonly modules: readonly PytorchModule[];
  readonly proposal?: ModelDescription;
  readonly problem?: string;
  readonly metadata: Metadata;
  readonly description?: ModelDescription;
}

// gatefold/formats/pytorch
interface PytorchModule {
  readonly name: string;
  readonly layer?: LayerSpec;
  readonly table?: LayerSpec;
  readonly isRecurrent: boolean;
  readonly type?: string;
  readonly batchFirst?: boolean;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

// gatefold/formats/pytorch
interface PytorchOptions {
  readonly description?: ModelDescription;
  readonly prefix?: string;
  readonly rename?: Rename;
  readonly strict?: boolean;
  readonly maxBytes?: number;
}

// gatefold/formats/pytorch
type PytorchSource = Uint8Array | ArrayBuffer | SafetensorsFile;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface Quantization {
  readonly errors: Readonly<Record<string, number>>;
  readonly warning?: string;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface QuantizeOptions {
  readonly inputs?: 'int8' | 'float32';
  readonly sample?: QuantizeSample;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface QuantizeSample extends Omit<SequenceOptions, 'padding'> {
  readonly x: Inputs;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface RankedClass {
  readonly index: number;
  readonly value: number;
}

// gatefold/formats/safetensors
interface ReadOptions {
  readonly maxHeaderBytes?: number;
  readonly maxBytes?: number;
  readonly checkFinite?: boolean;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface Reads {
  readonly inputs?: readonly string[];
}

// no entry, but others name it
type RecurrentLayerSpec = RnnSpec | IndrnnSpec | LstmSpec | GruSpec | MinGruSpec;

// no entry, but others name it
interface RecurrentSpec {
  readonly name?: string;
  readonly inputSize?: number;
  readonly hiddenSize: number;
  readonly numLayers?: number;
  readonly bias?: boolean | 'single';
  readonly direction?: 'forward' | 'backward';
  readonly bidirectional?: boolean;
  readonly merge?: 'concat' | 'sum' | 'mul' | 'mean' | 'ave';
  readonly activations?: readonly Activation[];
  readonly clip?: number;
  readonly dropout?: number;
  readonly inputDropout?: number;
  readonly recurrentDropout?: number;
  readonly zoneout?: number;
  readonly initialState?: InitialState;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
class ReduceOnPlateau {
  rate: number;
  constructor(rate: number, options?: PlateauOptions);
  report(loss: number): number;
  reset(): void;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ReduceSpec {
  readonly type: ReduceType;
  readonly name?: string;
  readonly inputSize?: number;
}

// no entry, but others name it
type ReduceType = 'reduceMean' | 'reduceSum' | 'reduceMax';

// gatefold/formats/pytorch
type Rename = Readonly<Record<string, string | readonly string[]>>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface RepeatSpec {
  readonly type: 'repeat';
  readonly name?: string;
  readonly steps: number;
  readonly inputSize?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ReshapeSpec {
  readonly type: 'reshape';
  readonly name?: string;
  readonly steps: number;
  readonly inputSize?: number;
  readonly inputSteps?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ReverseSpec {
  readonly type: 'reverse';
  readonly name?: string;
  readonly inputSize?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface RmsNormSpec {
  readonly type: 'rmsNorm';
  readonly name?: string;
  readonly inputSize?: number;
  readonly eps?: number;
  readonly scale?: boolean;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface RmspropOptions extends CommonOptions {
  readonly type: 'rmsprop';
  readonly alpha?: number;
  readonly eps?: number;
  readonly momentum?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface RnnSpec extends RecurrentSpec {
  readonly type: 'rnn';
  readonly nonlinearity?: 'tanh' | 'relu';
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type RowActivation = Activation | Mathematics | MathematicsSpec | 'softmax' | 'logSoftmax';

// no entry, but others name it
type RowLoss = RowLossOptions['type'] | RowLossOptions;

// no entry, but others name it
type RowLossOptions = CrossEntropyOptions | ElementLossOptions;

// gatefold/formats/safetensors
interface SafetensorsFile {
  readonly tensors: Map<string, SafetensorsTensor>;
  readonly skipped: readonly SkippedTensor[];
  readonly metadata: Record<string, string>;
}

// gatefold/formats/safetensors
interface SafetensorsTensor extends Tensor {
  readonly dtype: string;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface SampleOptions {
  readonly temperature?: number;
  readonly topK?: number;
  readonly random: () => number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface ScaleSpec {
  readonly type: 'scale';
  readonly name?: string;
  readonly inputSize?: number;
  readonly factor?: number | readonly number[];
  readonly offset?: number | readonly number[];
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type Schedule = (update: number, updates: number) => number;

// gatefold/node
interface ScoreOptions<R> {
  readonly model?: Model;
  readonly modelBytes?: Uint8Array;
  readonly input?: (record: R) => Inputs;
  readonly workers?: number;
  readonly batch?: number;
  readonly maxLatency?: number;
  readonly ordered?: boolean;
  readonly signal?: ScoreSignal;
  readonly onProgress?: (progress: ScoreProgress) => void;
  readonly onBadRecord?: (bad: BadRecord<R>) => void;
  readonly simd?: 'auto' | 'deterministic';
  readonly fastLane?: boolean;
  readonly maxBytes?: number;
  readonly worker?: () => PoolWorker;
}

// gatefold/node
interface ScoreProgress {
  readonly records: number;
  readonly skipped: number;
  readonly steps: number;
  readonly seconds: number;
}

// gatefold/node
interface ScoreResult<R> {
  readonly index: number;
  readonly record: R;
  readonly output: Float32Array;
  readonly outputs: Readonly<Record<string, Float32Array>>;
}

// gatefold/node
interface ScoreSignal {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

// gatefold/data
interface SequenceBatch {
  readonly inputs: Float32Array | Int32Array;
  readonly targets: Float32Array | Int32Array;
  readonly steps: number;
  readonly lengths: Int32Array;
  readonly targetLengths?: Int32Array;
  readonly fresh: true;
  readonly count: number;
}

// gatefold/data
class SequenceBuckets {
  readonly batch: number;
  readonly steps: number;
  readonly length: number;
  constructor(sequences: readonly LabelledSequence[], options: BucketOptions);
  window(index: number, epoch?: number): SequenceBatch;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface SequenceOptions {
  readonly steps?: number | Readonly<Record<string, number>>;
  readonly batch?: number;
  readonly batchFirst?: boolean;
  readonly state?: ModelState;
  readonly lengths?: Lengths;
  readonly padding?: 'zero' | 'repeat';
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface SequenceResult {
  readonly output: Float32Array;
  readonly outputs: Readonly<Record<string, Float32Array>>;
  readonly state: ModelState;
}

// gatefold/data
interface SequenceSplitOptions<T> {
  readonly training?: number;
  readonly group?: (sequence: T, index: number) => string | number;
  readonly seed?: number;
}

// gatefold/data
interface SeriesOptions {
  readonly batch: number;
  readonly steps: number;
  readonly features?: number;
  readonly horizon?: number | readonly number[];
  readonly targets?: readonly number[];
  readonly last?: boolean;
  readonly order?: 'contiguous' | 'shuffled';
  readonly stride?: number;
  readonly seed?: number;
}

// gatefold/data
interface SeriesSplitOptions extends Pick<SeriesOptions, 'steps' | 'features' | 'horizon'> {
  readonly training?: number;
  readonly gap?: number;
}

// gatefold/data
interface SeriesWindow {
  readonly inputs: Float32Array;
  readonly targets: Float32Array;
  readonly steps: number;
  readonly lengths?: Int32Array;
  readonly fresh: boolean;
  readonly count: number;
}

// gatefold/data
class SeriesWindows {
  readonly batch: number;
  readonly steps: number;
  readonly length: number;
  readonly targetSize: number;
  constructor(given: ArrayLike<number>, options: SeriesOptions);
  window(index: number, epoch?: number): SeriesWindow;
}

// gatefold/node, gatefold/sessions
class Session {
  step(x: Inputs, out: Named): Promise<Named>;
  step(x: Inputs, out?: Float32Array): Promise<Float32Array>;
  save(): ModelState;
  close(): void;
}

// gatefold/node, gatefold/sessions
class SessionPool extends HostDisposable {
  readonly slots: number;
  private constructor();
  static create(model: Model, options: SessionPoolOptions): SessionPool;
  get size(): number;
  open(state?: ModelState): Promise<Session>;
  dispose(): void;
}

// gatefold/node, gatefold/sessions
interface SessionPoolOptions {
  readonly slots: number;
  readonly maxLatency?: number;
  readonly overflow?: 'error' | 'wait';
  readonly onBatch?: (steps: number) => void;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface SgdOptions extends CommonOptions {
  readonly type: 'sgd';
  readonly momentum?: number;
  readonly dampening?: number;
  readonly nesterov?: boolean;
}

// gatefold/formats/tfjs
type Shards =
  | ReadonlyMap<string, Uint8Array | ArrayBuffer>
  | Readonly<Record<string, Uint8Array | ArrayBuffer>>;

// gatefold/threads
interface SharedModel {
  readonly kernels: ReturnType<typeof Uint8Array.of>;
  readonly description: Model['description'];
}

// gatefold/formats/safetensors
interface SkippedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface SliceSpec {
  readonly type: 'slice';
  readonly name?: string;
  readonly from: number;
  readonly to: number;
  readonly inputSize?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface Snapshot {
  readonly tensors: StateDict;
  readonly metadata: Record<string, string>;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface SoftmaxOptions {
  readonly temperature?: number;
  readonly out?: Float32Array;
}

// gatefold/formats/safetensors
type Source = Uint8Array | ArrayBuffer | SafetensorsFile;

// gatefold/data
interface Split<T> {
  readonly training: T;
  readonly validation: T;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface SplitSpec {
  readonly type: 'split';
  readonly name?: string;
  readonly sizes: readonly number[];
  readonly inputSize?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type StateDict = Map<string, Tensor>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface StepReport extends UpdateReport {
  readonly loss: number;
  readonly skipped: boolean;
  readonly infiniteRows: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
class Stream extends HostDisposable {
  readonly batch: number;
  private constructor();
  step(x: Inputs, out: Outputs): void;
  run(x: Inputs, out: Outputs, steps: number): void;
  reset(row?: number): void;
  state(row: number): ModelState;
  copyFrom(other: Stream): void;
  warmUp(): void;
  clone(): Stream;
  save(into?: ModelState): ModelState;
  restore(state: ModelState): void;
  dispose(): void;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface StreamOptions {
  readonly batch?: number;
  readonly state?: ModelState;
  readonly given?: Readonly<Record<string, Numbers>>;
  readonly steps?: Readonly<Record<string, number>>;
  readonly lengths?: Readonly<Record<string, ArrayLike<number>>>;
  readonly onNonFinite?: NonFinite;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface SummaryOptions {
  readonly svg?: boolean;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
type TargetArrays = Numbers | Readonly<Record<string, Numbers>>;

// no entry, but others name it
class TeamEngine extends Engine {
  protected constructor();
  get threads(): number;
  get threadsReason(): string | undefined;
  dispose(): void;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node, gatefold/data
class TextBatches {
  readonly batch: number;
  readonly steps: number;
  readonly length: number;
  constructor(
    tokens: ArrayLike<number>,
    options: {
      batch: number;
      steps: number;
    },
  );
  get count(): number;
  window(index: number): TextWindow;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node, gatefold/data
interface TextWindow {
  readonly inputs: Int32Array;
  readonly targets: Int32Array;
  readonly steps: number;
}

// gatefold/formats/layouts
interface Tf1Cell {
  readonly kernel: Tensor;
  readonly bias: Tensor;
}

// gatefold/formats/layouts
interface Tf1Layouts {
  lstm(kernel: Tensor, bias: Tensor, options?: Tf1LstmLayout): CellParameters;
  toLstm(parameters: CellParameters, options?: Tf1LstmLayout): Tf1Cell;
  gru(gates: Tf1Cell, candidate: Tf1Cell): CellParameters;
  toGru(parameters: CellParameters): {
    gates: Tf1Cell;
    candidate: Tf1Cell;
  };
  rnn(kernel: Tensor, bias: Tensor): CellParameters;
  toRnn(parameters: CellParameters): Tf1Cell;
}

// gatefold/formats/layouts
interface Tf1LstmLayout {
  readonly forgetBias?: number;
}

// gatefold/formats/tf1
interface Tf1Options {
  readonly description?: ModelDescription;
  readonly forgetBias?: number;
}

// gatefold/formats/tf1
type Tf1Source = ReadonlyMap<string, Uint8Array> | Uint8Array | ArrayBuffer;

// gatefold/formats/tfjs
interface TfjsFiles {
  readonly 'model.json': Uint8Array;
  readonly 'weights.bin': Uint8Array;
}

// gatefold/formats/tfjs
interface TfjsOptions {
  readonly layers?: OwnLayers;
}

// gatefold/threads
interface ThreadWorker {
  postMessage(message: unknown): void;
  terminate(): unknown;
  unref?(): void;
  on?(event: string, listener: (value: unknown) => void): void;
  addEventListener?(event: string, listener: (event: unknown) => void): void;
}

// gatefold/threads
class ThreadedEngine extends TeamEngine {
  static create(options?: ThreadedEngineOptions): Promise<ThreadedEngine>;
}

// gatefold/threads
interface ThreadedEngineOptions extends EngineOptions {
  readonly threads?: number;
  readonly worker?: () => ThreadWorker;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface TiedLinearSpec extends Omit<LinearSpec, 'outFeatures'> {
  readonly tied: string;
  readonly outFeatures?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
class Trainer extends HostDisposable {
  readonly model: Model;
  readonly options: TrainerOptions;
  readonly bytes: number;
  private constructor();
  static create(model: Model, options: TrainerOptions): Trainer;
  get updates(): number;
  get skipped(): number;
  get learningRate(): number;
  set learningRate(rate: number);
  forward(x: Inputs, options?: TrainingSequenceOptions): SequenceResult;
  backward(gradients: OutputGradients): InputGradients;
  zeroGradients(): void;
  gradients(): StateDict;
  update(): UpdateReport;
  trainOn(x: Inputs, target: TargetArrays, options?: WindowOptions): StepReport;
  evaluateWindow(x: Inputs, target: TargetArrays, options?: WindowOptions): number;
  resetState(): void;
  resetEvaluation(): void;
  fit<const Asked extends readonly Metric[] = readonly []>(
    data: TrainingData,
    options: FitOptions<Asked>,
  ): FitRun<Asked>;
  evaluate<const Asked extends readonly Metric[] = readonly []>(
    data: TrainingData,
    metrics?: Asked,
  ): Measures<Asked>;
  snapshot(): Snapshot;
  restore(snapshot: Snapshot): void;
  dispose(): void;
}

// gatefold/formats/safetensors
interface TrainerExtras extends Extras {
  readonly snapshot?: Snapshot;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface TrainerOptions {
  readonly batch: number;
  readonly steps?: SequenceOptions['steps'];
  readonly loss?: LossChoices;
  readonly lossWeights?: Readonly<Record<string, number>>;
  readonly optimizer?: OptimizerOptions;
  readonly groups?: readonly ParameterGroup[];
  readonly gradClip?: GradClip;
  readonly bptt?: {
    readonly back: number;
    readonly every: number;
  };
  readonly maxBytes?: number;
  readonly onNonFinite?: 'throw' | 'skip';
  readonly seed?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface TrainingData {
  readonly length: number;
  window(index: number, epoch?: number): TrainingWindow;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface TrainingSequenceOptions {
  readonly steps?: SequenceOptions['steps'];
  readonly batchFirst?: boolean;
  readonly state?: ModelState;
  readonly lengths?: Lengths;
  readonly padding?: 'zero' | 'repeat';
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface TrainingWindow {
  readonly inputs: Inputs;
  readonly targets: TargetArrays;
  readonly steps: Exclude<WindowOptions['steps'], undefined>;
  readonly lengths?: Lengths;
  readonly targetLengths?: ArrayLike<number>;
  readonly fresh?: boolean;
  readonly count?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node, gatefold/data
const UNKNOWN = 0;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface UnfoldSpec {
  readonly type: 'unfold';
  readonly name?: string;
  readonly steps: number;
  readonly inputSize?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface UpdateReport {
  readonly gradNorm: number;
  readonly finite: boolean;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface Upsample1dSpec {
  readonly type: 'upsample1d';
  readonly name?: string;
  readonly size: number;
  readonly inputSize?: number;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node, gatefold/data
class Vocabulary {
  readonly characters: readonly string[];
  constructor(text: string);
  static of(text: Iterable<string>): Vocabulary;
  get size(): number;
  encode(text: Iterable<string>): Int32Array;
  toString(): string;
}

// no entry, but others name it
type WasmModule = typeof globalThis extends {
  WebAssembly: {
    Module: {
      prototype: infer Module;
    };
  };
}
  ? Module
  : object;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
interface WindowOptions {
  readonly steps?: SequenceOptions['steps'];
  readonly lengths?: Lengths;
  readonly targetLengths?: ArrayLike<number>;
}

// gatefold/browser
interface WorkerForwardOptions extends Omit<ForwardOptions, 'out'> {
  readonly transfer?: boolean;
}

// gatefold/browser
class WorkerModel extends HostDisposable {
  readonly description: Model['description'];
  readonly inputs: Model['inputs'];
  readonly outputs: Model['outputs'];
  readonly inputSize: number;
  readonly outputSize: number;
  readonly takesTokens: boolean;
  readonly pooled: boolean;
  readonly parameterCount: number;
  readonly metadata: Model['metadata'];
  readonly float32Layers: readonly string[];
  forward(x: Inputs, options?: WorkerForwardOptions): Promise<SequenceResult>;
  gates(x: Inputs, options?: Omit<WorkerForwardOptions, 'transfer'>): Promise<Gates>;
  stateDict(): Promise<StateDict>;
  loadStateDict(tensors: StateDict): Promise<void>;
  warmUp(options?: Parameters<Model['warmUp']>[0]): Promise<void>;
  stream(options?: StreamOptions): Promise<WorkerStream>;
  dispose(): void;
}

// gatefold/browser
type WorkerModelOptions = ProgramOptions;

// gatefold/browser
class WorkerStream extends HostDisposable {
  readonly batch: number;
  step(x: Inputs, out: Outputs): Promise<void>;
  run(x: Inputs, out: Outputs, steps: number): Promise<void>;
  reset(row?: number): Promise<void>;
  save(): Promise<ModelState>;
  restore(state: ModelState): Promise<void>;
  state(row: number): Promise<ModelState>;
  dispose(): void;
}

// gatefold/browser
interface WorkletFacts extends Facts {
  readonly isSound: boolean;
  readonly latency: number;
}

// gatefold/browser
interface WorkletNodeOptions extends ProgramOptions {
  readonly overlap?: number;
  readonly onOutput?: (output: Float32Array, frame: number) => void;
}

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function argmax(row: Float32Array): number;

// gatefold/threads
function attachModel(shared: SharedModel): Model;

// gatefold/node
function checkpointFile(
  path: string,
  trainer: Trainer,
  options?: Pick<Checkpoint, 'every'>,
): CheckpointFile;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function cosineDecay(
  rate: number,
  options?: {
    warmup?: number;
    floor?: number;
  },
): Schedule;

// gatefold/browser
function createWorkerModel(
  bytes: Uint8Array | ArrayBuffer,
  options?: WorkerModelOptions,
): Promise<WorkerModel>;

// gatefold/browser
function createWorkletNode(
  context: BaseAudioContext,
  bytes: Uint8Array | ArrayBuffer,
  options?: WorkletNodeOptions,
): Promise<ModelNode>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function defineLayers<const Layers extends readonly LayerSpec[]>(layers: Layers): Layers;

// gatefold/formats/pytorch
function describeModule(file: PytorchFile, name: string, head?: string): ImportedModel;

// gatefold/node
function enableFastLane(): FastLane;

// gatefold/browser
function fetchBytes(
  url: string | URL,
  options?: FetchOptions,
): Promise<ReturnType<typeof Uint8Array.of>>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function gradientFlow(model: Model, given: FlowBatch): GradientFlow;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function greedyCtc(
  logits: Float32Array,
  options: {
    readonly steps: number;
    readonly batch?: number;
    readonly lengths?: ArrayLike<number>;
    readonly batchFirst?: boolean;
    readonly blank?: number;
  },
): number[][];

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function labelErrorRate(
  found: readonly (readonly number[])[],
  wanted: readonly (readonly number[])[],
): number;

// gatefold/formats/layouts
const layouts: Layouts;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function linearDecay(rate: number): Schedule;

// gatefold/formats/audio
function loadAudio(engine: Engine, source: AudioSource, options?: AudioOptions): Model;

// gatefold/formats/keras
function loadKeras(engine: Engine, source: Uint8Array | ArrayBuffer, options?: KerasOptions): Model;

// gatefold/worklet, gatefold/formats/safetensors
function loadModel(engine: Engine, source: Source): Model;

// gatefold/node
function loadModelFile(engine: Engine, path: string): Promise<Model>;

// gatefold/formats/onnx
function loadOnnx(engine: Engine, source: Uint8Array | ArrayBuffer, options?: OnnxOptions): Model;

// gatefold/formats/pytorch
function loadPytorch(engine: Engine, source: PytorchSource, options?: PytorchOptions): Model;

// gatefold/formats/tf1
function loadTf1(engine: Engine, source: Tf1Source, options?: Tf1Options): Model;

// gatefold/formats/tfjs
function loadTfjs(
  engine: Engine,
  model: Uint8Array | ArrayBuffer | object,
  shards: Shards,
  options?: TfjsOptions,
): Model;

// gatefold/formats/safetensors
function loadTrainer(trainer: Trainer, source: Source): Required<Extras>;

// gatefold/node
function loadTrainerFile(path: string, trainer: Trainer): Promise<Required<Extras>>;

// gatefold/formats/audio
function readAudio(source: AudioSource, options?: AudioOptions): ImportedModel;

// gatefold/formats/keras
function readKeras(source: Uint8Array | ArrayBuffer, options?: KerasOptions): ImportedModel;

// gatefold/formats/npz
function readNpy(bytes: Uint8Array | ArrayBuffer): NpyArray;

// gatefold/formats/npz
function readNpz(bytes: Uint8Array | ArrayBuffer, options?: NpzOptions): Map<string, NpyArray>;

// gatefold/formats/onnx
function readOnnx(source: Uint8Array | ArrayBuffer, options?: OnnxOptions): ImportedModel;

// gatefold/formats/pytorch
function readPytorch(
  source: PytorchSource,
  options: PytorchOptions & {
    readonly description: ModelDescription;
  },
): PytorchFile & ImportedModel;
function readPytorch(source: PytorchSource, options?: PytorchOptions): PytorchFile;

// gatefold/formats/safetensors
function readSafetensors(source: Uint8Array | ArrayBuffer, options?: ReadOptions): SafetensorsFile;

// gatefold/formats/tf1
function readTf1(source: Tf1Source, options?: Tf1Options): ImportedModel;

// gatefold/formats/tfjs
function readTfjs(
  model: Uint8Array | ArrayBuffer | object,
  shards: Shards,
  options?: TfjsOptions,
): ImportedModel;

// gatefold/threads
function releaseModel(shared: SharedModel): void;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function sampleToken(logits: Float32Array, options: SampleOptions): number;

// gatefold/formats/safetensors
function saveModel(model: Model, metadata?: Readonly<Record<string, string>>): Uint8Array;

// gatefold/node
function saveModelFile(
  path: string,
  model: Model,
  metadata?: Readonly<Record<string, string>>,
): Promise<void>;

// gatefold/formats/safetensors
function saveTrainer(trainer: Trainer, extras?: TrainerExtras): Uint8Array;

// gatefold/node
function saveTrainerFile(path: string, trainer: Trainer, extras?: TrainerExtras): Promise<void>;

// gatefold/node
function scoreSequences<R = Inputs>(
  records: Iterable<R> | AsyncIterable<R>,
  options: ScoreOptions<R>,
): AsyncGenerator<ScoreResult<R>, void, undefined>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function seededRandom(seed: number, drawn?: number): () => number;

// gatefold/threads
function shareModel(
  model: Model,
  options?: {
    readonly maxBytes?: number;
  },
): SharedModel;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function softmax(logits: Float32Array, options?: SoftmaxOptions): Float32Array;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node, gatefold/data
function splitByPosition<T>(
  texts: readonly (readonly T[])[],
  fraction: number,
): {
  head: T[];
  tail: T[];
};

// gatefold/data
function splitSequences<T>(sequences: readonly T[], options?: SequenceSplitOptions<T>): Split<T[]>;

// gatefold/data
function splitSeries(given: ArrayLike<number>, options: SeriesSplitOptions): Split<Float32Array>;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function stepDecay(
  rate: number,
  options: {
    every: number;
    factor: number;
  },
): Schedule;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function summary(model: Model, options?: SummaryOptions): string;

// gatefold, gatefold/baseline, gatefold/core, gatefold/worklet, gatefold/node
function topK(row: Float32Array, k: number): RankedClass[];

// gatefold, gatefold/baseline, gatefold/node
function wasmBytes(options?: Pick<EngineOptions, 'simd'>): ReturnType<typeof Uint8Array.of>;

// gatefold/formats/npz
function writeNpy(array: NpySource): Uint8Array;

// gatefold/formats/npz
function writeNpz(arrays: ReadonlyMap<string, NpySource>): Uint8Array;

// gatefold/formats/onnx
function writeOnnx(model: Model, options?: OnnxWriteOptions): Uint8Array;

// gatefold/formats/audio
function writeRtneural(model: Model): Uint8Array;

// gatefold/formats/safetensors
function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor | Int8Tensor>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array;

// gatefold/formats/tfjs
function writeTfjs(model: Model): TfjsFiles;

// gatefold/node
function writeWhole(path: string, bytes: Uint8Array): Promise<void>;
