import { NORM_AFFINE, NORM_LAYER, NORM_RMS } from '../../assembly/shared/codes.ts';
import { roundUp } from '../base/check.ts';
import type { Fields } from '../engine/kernels.ts';
import { NONE, part } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import { withBatchStatistics } from './batch-norm.ts';
import type { BatchStatistics } from './batch-norm.ts';
import type {
  Bound,
  Derived,
  Node,
  Op,
  ParameterPlaces,
  ParameterSpec,
  PassSize,
  Places,
  StateSpec,
} from './op.ts';
import { flag, inputWidth } from './options.ts';
import type { OptionSpec, OptionTable } from './options.ts';

/**
 * Layer normalisation over the features of every row, `torch.nn.LayerNorm`: y = (x - mean) /
 * sqrt(var + eps) gamma + beta, with `weight` (gamma) and `bias` (beta), [I] each.
 */
export interface LayerNormSpec {
  readonly type: 'layerNorm';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
  /** Added to the variance; default 1e-5 (PyTorch; Keras has 1e-3). */
  readonly eps?: number;
  /** Whether there is a gamma; default true. */
  readonly scale?: boolean;
  /** Whether there is a beta; default true. */
  readonly bias?: boolean;
}

/**
 * The same by the root mean square alone, `torch.nn.RMSNorm`: y = x / sqrt(mean(x^2) + eps) gamma,
 * with `weight` (gamma) [I].
 */
export interface RmsNormSpec {
  readonly type: 'rmsNorm';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
  /** Added to the mean square; default 2^-23 (PyTorch, for float32; Keras has 1e-6). */
  readonly eps?: number;
  /** Whether there is a gamma; default true. */
  readonly scale?: boolean;
}

/**
 * Normalisation of every feature, `torch.nn.BatchNorm1d`: y = (x - mean) / sqrt(var + eps) gamma +
 * beta, with `weight` (gamma), `bias` (beta), `running_mean` and `running_var`, [I] each. Training
 * takes mean and variance of all valid rows of a window, which move the running ones; all else
 * takes these.
 */
export interface BatchNormSpec {
  readonly type: 'batchNorm';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Taken from the layer before when absent. */
  readonly inputSize?: number;
  /** Added to the variance; default 1e-5 (PyTorch; Keras has 1e-3). */
  readonly eps?: number;
  /** Whether there is a gamma; default true. */
  readonly scale?: boolean;
  /** Whether there is a beta; default true. */
  readonly bias?: boolean;
  /** Weight of a window in the running statistics; default 0.1 (PyTorch; Keras' is 1 - this). */
  readonly momentum?: number;
  /** Whether `running_var` takes the unbiased variance, as in PyTorch; Keras' is biased. */
  readonly unbiased?: boolean;
  /** Whether training takes the running statistics too, and leaves all four as they are. */
  readonly frozen?: boolean;
}

export type CompleteNorm = Required<LayerNormSpec | RmsNormSpec | BatchNormSpec>;

/** Parameters in their order, of a kind that has all. */
const ROLES = ['weight', 'bias', 'running_mean', 'running_var'];

/** Constants in the place of parameters, by their roles: one for all features, or for each. */
type Constants = Readonly<Record<string, number | ArrayLike<number> | undefined>>;

function valueAt(values: Constants[string], k: number, otherwise: number): number {
  return (typeof values === 'object' ? values[k] : values) ?? otherwise;
}

/** Normalises every row; with `constants` y = weight x + bias, without a parameter. */
export class NormNode implements Node {
  readonly states: readonly StateSpec[] = [];
  readonly isRowwise = true;
  readonly sources: readonly number[];
  readonly name: string;
  readonly layer: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly rowLength: number;
  readonly parameters: readonly ParameterSpec[];
  readonly noSegments?: string;
  readonly #mode: number;
  readonly #eps: number;
  /** Of a batch normalisation that trains. */
  readonly #moving: Pick<BatchStatistics, 'momentum' | 'unbiased'> | undefined;
  readonly #constants: Constants | undefined;

  constructor(source: number, layer: CompleteNorm, constants?: Constants) {
    const { type, name, inputSize, eps, scale } = layer;
    const isAffine = type === 'batchNorm';
    const hasStatistics = isAffine && !constants;
    const bias = type !== 'rmsNorm' && layer.bias;
    this.sources = [source];
    this.name = name;
    this.layer = name;
    this.inputs = inputSize;
    this.outputs = inputSize;
    this.rowLength = roundUp(inputSize, 4);
    this.#mode = isAffine ? NORM_AFFINE : type === 'rmsNorm' ? NORM_RMS : NORM_LAYER;
    this.#eps = eps;
    this.#constants = constants;
    const isFrozen = hasStatistics && layer.frozen;
    if (hasStatistics && !isFrozen) {
      this.#moving = layer;
      this.noSegments = `"${name}" takes the statistics of whole ones; give more bytes, or the layer frozen: true`;
    }
    const present = [scale, bias, hasStatistics, hasStatistics];
    this.parameters = ROLES.filter((_, k) => present[k]).map((role) => {
      const isFactor = role === 'weight' || role === 'running_var';
      const initial = { kind: 'fill', value: Number(isFactor) } as const;
      return {
        role,
        name: `${name}.${role}`,
        shape: [inputSize],
        layout: { row: this.rowLength },
        initial: { pytorch: initial, keras: initial },
        isFixed: isFrozen || role.startsWith('running'),
        ...(role === 'running_var' && { low: 0 }),
      };
    });
  }

  #has(role: string): boolean {
    return this.parameters.some((parameter) => parameter.role === role);
  }

  /** [2, I]: slope and offset of every feature that has statistics or constants. */
  derive(plan: Plan, at: ParameterPlaces): Derived | undefined {
    if (this.#mode !== NORM_AFFINE) return undefined;
    const row = this.rowLength;
    const slot = plan.reserve(2 * row);
    const prepare = (): void => {
      const { kernels } = at;
      const [gamma, beta, mean, variance] = ROLES.map((role) =>
        this.#has(role) ? kernels.floats(at.parameter(role)) : this.#constants?.[role],
      );
      const lines = kernels.floats(slot);
      for (let k = 0; k < this.inputs; k++) {
        const slope = valueAt(gamma, k, 1) / Math.sqrt(valueAt(variance, k, 1) + this.#eps);
        lines[k] = slope;
        lines[row + k] = valueAt(beta, k, 0) - slope * valueAt(mean, k, 0);
      }
    };
    return { slot, prepare };
  }

  reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
    const { kernels, derived } = at;
    const { run } = kernels;
    const row = this.rowLength;
    const isTraining = mode === 'train';
    const norm = plan.descriptor('LayerNorm');
    const output = plan.reserve(batch * steps * row);
    const gradient = isTraining ? plan.reserve(batch * steps * row) : NONE;
    const scratch = isTraining ? plan.reserve(2 * row) : NONE;
    const [scale, bias] = [this.#has('weight'), this.#has('bias')];
    const moving = isTraining && this.#moving;
    // Statistics of a batch are of all its rows, whose sums end with the call.
    const [dGamma, dBeta] = ['weight', 'bias'].map((role) =>
      isTraining && !moving && this.#has(role) ? at.sums(role) : undefined,
    );
    /** What both kernels take. */
    const fields = (): Fields<'LayerNorm'> & Fields<'BatchNorm'> => {
      const [x, dx] = [at.input(0), at.gradientOfInput(0)];
      return {
        width: this.inputs,
        epsilon: this.#eps,
        x: x.slot,
        xRow: x.row * 4,
        y: output,
        yRow: row * 4,
        dy: gradient,
        dyRow: row * 4,
        dxRow: dx.row * 4,
        gamma: scale ? at.parameter('weight') : NONE,
        beta: bias ? at.parameter('bias') : NONE,
        dGamma: dGamma ?? (moving && scale ? at.gradient('weight') : NONE),
        dBeta: dBeta ?? (moving && bias ? at.gradient('bias') : NONE),
      };
    };
    const bound: Bound = {
      output: { slot: output, row },
      gradient,
      describe: () => {
        const lines = derived && { gamma: derived.slot, beta: part(derived.slot, row) };
        kernels.write(norm, { ...fields(), mode: this.#mode, scratch, ...lines });
      },
      arrange: ({ rows }) => kernels.set(norm, 'rows', rows),
      forward: () => run.layer_norm_forward(norm.address),
      backward: (wantsInput) => {
        kernels.set(norm, 'dx', wantsInput ? at.gradientOfInput(0).slot.address : 0);
        run.layer_norm_backward(norm.address);
      },
    };
    if (!moving) return bound;
    return withBatchStatistics(bound, plan, at, { ...moving, width: this.inputs, row, fields });
  }
}

const EPS: OptionSpec = {
  kind: 'number',
  low: 1e-12,
  high: 1,
  otherwise: 1e-5,
  about: 'Added to the variance.',
  pytorch: 'eps',
  keras: 'epsilon',
  onnx: 'epsilon',
};

function norm(type: CompleteNorm['type'], options: OptionTable): Op<CompleteNorm, CompleteNorm> {
  return {
    type,
    options,
    complete: (spec) => spec,
    sizes: ({ inputSize }) => ({ inputs: inputSize, outputs: inputSize }),
    lower: (layer, build) => void build.add(new NormNode(build.top, layer)),
  };
}

export const norms: readonly Op<CompleteNorm, CompleteNorm>[] = [
  norm('layerNorm', {
    inputSize: inputWidth({ pytorch: 'normalized_shape' }),
    eps: EPS,
    scale: flag(true, {
      about: 'Whether there is a gamma, `weight`.',
      pytorch: 'elementwise_affine',
      keras: 'scale',
      onnx: 'Scale',
    }),
    bias: flag(true, {
      about: 'Whether there is a beta, `bias`.',
      pytorch: 'bias',
      keras: 'center',
      onnx: 'B',
    }),
  }),
  norm('rmsNorm', {
    inputSize: inputWidth({ pytorch: 'normalized_shape' }),
    eps: { ...EPS, otherwise: 2 ** -23, about: 'Added to the mean square.' },
    scale: flag(true, {
      about: 'Whether there is a gamma, `weight`.',
      pytorch: 'elementwise_affine',
      keras: 'always true',
      onnx: 'scale',
    }),
  }),
  norm('batchNorm', {
    inputSize: inputWidth({ pytorch: 'num_features' }),
    eps: EPS,
    scale: flag(true, {
      about: 'Whether there is a gamma, `weight`.',
      pytorch: 'affine',
      keras: 'scale',
      onnx: 'scale',
    }),
    bias: flag(true, {
      about: 'Whether there is a beta, `bias`.',
      pytorch: 'affine',
      keras: 'center',
      onnx: 'B',
    }),
    momentum: {
      kind: 'number',
      low: 0,
      high: 1,
      otherwise: 0.1,
      about: 'Weight of a window in the running statistics.',
      pytorch: 'momentum',
      keras: '1 - momentum',
    },
    unbiased: flag(true, {
      about: 'Whether `running_var` takes the unbiased variance.',
      pytorch: 'always true',
      keras: 'always false',
    }),
    frozen: flag(false, {
      about: 'Whether training takes the running statistics, and changes none of its parameters.',
      pytorch: 'eval()',
      keras: 'trainable=False',
    }),
  }),
];
