import { roundUp, show } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { describeInt8, int8Fields, packInt8 } from '../engine/int8.ts';
import { int8Length, panelsLength, plainPanels } from '../engine/panels.ts';
import type { Panels } from '../engine/panels.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan, Slot } from '../engine/plan.ts';
import { lowerActivation } from './activation.ts';
import { checkActivation } from './activations.ts';
import type { RowActivation } from './activations.ts';
import { EmbeddingNode } from './embedding.ts';
import type { CompleteEmbedding } from './embedding.ts';
import type {
  Bound,
  Context,
  Derived,
  Node,
  Op,
  ParameterPlaces,
  ParameterSpec,
  PassSize,
  Places,
} from './op.ts';
import { MAX_WIDTH, flag, inputWidth } from './options.ts';

/** Affine map at every step, `torch.nn.Linear`. */
export interface LinearSpec {
  readonly type: 'linear';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /** Taken from the layer before when absent. */
  readonly inFeatures?: number;
  /** O */
  readonly outFeatures: number;
  /** Whether a number is added to each output; default true. */
  readonly bias?: boolean;
  /** What the outputs go through: see `ActivationLayerSpec`. Default none. */
  readonly activation?: RowActivation;
}

/** A linear layer that shares the table of an embedding as its weight; only the bias is its own. */
export interface TiedLinearSpec extends Omit<LinearSpec, 'outFeatures'> {
  /**
   * Name of the embedding, whose `embeddingDim` must be the inputs; its `numEmbeddings` are the
   * outputs.
   */
  readonly tied: string;
  /** The `numEmbeddings` of that embedding; taken from it when absent. */
  readonly outFeatures?: number;
}

type Filled<T extends LinearSpec | TiedLinearSpec> = Required<Omit<T, 'activation'>> &
  Pick<T, 'activation'>;
export type CompleteLinear = Filled<LinearSpec> | Filled<TiedLinearSpec>;

/** y = x W^T + b of every row. */
class LinearNode implements Node {
  readonly states = [];
  readonly isRowwise = true;
  readonly sources: readonly number[];
  readonly name: string;
  readonly layer: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly rowLength: number;
  readonly parameters: readonly ParameterSpec[];
  readonly #bias: boolean;
  readonly #panels: Panels;
  /** Whose table is its weight, turned around. */
  readonly #tied: EmbeddingNode | undefined;

  constructor(source: number, layer: CompleteLinear, tied: EmbeddingNode | undefined) {
    const { name, inFeatures, outFeatures, bias } = layer;
    this.sources = [source];
    this.name = name;
    this.layer = name;
    this.inputs = inFeatures;
    this.outputs = outFeatures;
    this.rowLength = roundUp(outFeatures, 4);
    this.#bias = bias;
    this.#tied = tied;
    this.#panels = plainPanels(outFeatures, this.rowLength, inFeatures);
    const fan = 1 / Math.sqrt(inFeatures);
    const pytorch = { kind: 'uniform', limit: fan } as const;
    const glorot = Math.sqrt(6 / (inFeatures + outFeatures));
    const weight: ParameterSpec = {
      role: 'input',
      name: `${name}.weight`,
      shape: [outFeatures, inFeatures],
      layout: { panels: this.#panels },
      isInt8: true,
      initial: { pytorch, keras: { kind: 'uniform', limit: glorot } },
    };
    const vector: ParameterSpec = {
      role: 'bias',
      name: `${name}.bias`,
      shape: [outFeatures],
      layout: { panels: plainPanels(outFeatures, this.rowLength, 1) },
      initial: { pytorch, keras: { kind: 'fill', value: 0 } },
    };
    this.parameters = [...(tied ? [] : [weight]), ...(bias ? [vector] : [])];
  }

  /** The weight of a tied layer in panels. */
  derive(plan: Plan, at: ParameterPlaces): Derived | undefined {
    const tied = this.#tied;
    if (tied) tied.panels ??= this.#deriveTied(tied, plan, at);
    return tied?.panels;
  }

  #deriveTied(tied: EmbeddingNode, plan: Plan, at: ParameterPlaces): Derived {
    const panels = this.#panels;
    const { kernels } = at;
    const table = (): Slot => at.of(tied, 'table');
    if (at.isInt8) {
      const slot = plan.reserve(int8Length(panels));
      const { depth } = panels;
      const staging = plan.reserve(depth + 2);
      const row = (index: number): Float32Array =>
        kernels.floats(table(), index * tied.rowLength, depth);
      const pack = (): void => packInt8(kernels, panels, slot, staging, row);
      return {
        slot,
        describe: () => describeInt8(kernels, panels, slot),
        int8: int8Fields(panels, slot, (whole, from) => plan.part(whole, from)),
        pack,
      };
    }
    const slot = plan.reserve(panelsLength(panels));
    const move = plan.descriptor('Tied');
    return {
      slot,
      describe: () =>
        kernels.write(move, { ...this.#tableFields(tied), table: table(), panels: slot }),
      prepare: () => kernels.run.panels_of_table(move.address, false),
    };
  }

  #tableFields(tied: EmbeddingNode): { rows: number; width: number; rowBytes: number } {
    return { rows: this.outputs, width: this.inputs, rowBytes: tied.rowLength * 4 };
  }

  reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
    const { kernels, derived } = at;
    const { run } = kernels;
    const row = this.rowLength;
    const isTraining = mode === 'train';
    const dense = plan.descriptor('Dense');
    const fields = derived ? derived.int8 : at.int8('input');
    const int8 = fields && plan.descriptor('Int8Product');
    const output = plan.reserve(batch * steps * row);
    const transposed = isTraining ? plan.reserve(row * roundUp(this.inputs, 16)) : NONE;
    const tied = isTraining ? this.#tied : undefined;
    // Gradient of a tied weight, until it is added to that of the table.
    const dTied = tied ? plan.reserve(panelsLength(this.#panels)) : NONE;
    const move = tied && plan.descriptor('Tied');
    const dBias = isTraining && this.#bias ? at.sums('bias') : NONE;
    const dwRest = isTraining ? at.rest('input', tied && dTied) : NONE;
    let own = 0;
    let summed = 0;
    return {
      output: { slot: output, row },
      // The gradient takes the place of the outputs.
      gradient: output,
      describe: () => {
        const x = at.input(0);
        kernels.write(dense, {
          inputs: this.inputs,
          product: at.product,
          x: x.slot,
          xRow: x.row * 4,
          outputs: row,
          yRow: row * 4,
          y: output,
          w: derived ? derived.slot : at.parameter('input'),
          wTransposed: transposed,
        });
        if (this.#bias) kernels.write(dense, { bias: at.parameter('bias') });
        if (int8) {
          kernels.write(int8, { ...fields, ...at.operands });
          kernels.write(dense, { int8 });
        }
        if (!isTraining) return;
        const dx = at.gradientOfInput(0);
        const dw = tied ? dTied : at.gradient('input');
        kernels.write(dense, { dxRow: dx.row * 4, dw, dwRest, dBias });
        if (!tied) return;
        const table = at.gradientOf(tied, 'table');
        kernels.write(move!, { ...this.#tableFields(tied), table, panels: dTied });
      },
      prepare: () => run.dense_prepare(dense.address),
      arrange: ({ rows }) => kernels.set(dense, 'rows', (own = rows)),
      forward: () => run.dense_forward(dense.address),
      backward: (wantsInput) => {
        kernels.set(dense, 'dx', wantsInput ? at.gradientOfInput(0).slot.address : 0);
        if (dwRest !== NONE) kernels.set(dense, 'summed', summed);
        run.dense_backward(dense.address);
        summed += own;
      },
      finish: () => {
        summed = 0;
        if (move) run.panels_of_table(move.address, true);
      },
    };
  }
}

/** The outputs of a tied layer: the rows of its table. */
function completeTied(spec: TiedLinearSpec, { at, before, layers }: Context): TiedLinearSpec {
  const tables = layers.filter(({ type }) => type === 'embedding') as CompleteEmbedding[];
  const table = tables.find((embedding) => embedding.name === spec.tied);
  if (!table) {
    const names = tables.map((embedding) => show(embedding.name)).join(' or ');
    const known = names || 'but the model has none';
    throw new GatefoldError(
      'ERR_ARGUMENT',
      `"${at}.tied" expected the name of an embedding layer, ${known}, got ${show(spec.tied)}`,
    );
  }
  const { name, embeddingDim, numEmbeddings } = table;
  const outFeatures = spec.outFeatures ?? numEmbeddings;
  if (before === embeddingDim && outFeatures === numEmbeddings) return { ...spec, outFeatures };
  throw new GatefoldError(
    'ERR_SHAPE',
    `"${at}" has ${before} inputs and ${outFeatures} outputs, but "${name}" to which it is tied is ` +
      `[${numEmbeddings}, ${embeddingDim}]: make both equal, e.g. by a linear layer of ${embeddingDim} outputs before it`,
  );
}

export const linear: Op<LinearSpec | TiedLinearSpec, CompleteLinear> = {
  type: 'linear',
  options: {
    inFeatures: inputWidth({ pytorch: 'in_features' }),
    outFeatures: {
      kind: 'integer',
      low: 1,
      high: MAX_WIDTH,
      otherwise: 'needed',
      about: 'O, outputs of a step; of a tied layer the rows of its table.',
      pytorch: 'out_features',
      keras: 'units',
    },
    bias: flag(true, {
      about: 'Whether a bias is added.',
      pytorch: 'bias',
      keras: 'use_bias',
    }),
    activation: {
      kind: 'own',
      expects: 'an activation',
      check: checkActivation,
      otherwise: 'off',
      about: 'What the outputs go through; none where absent.',
      keras: 'activation',
    },
    tied: {
      kind: 'own',
      expects: 'the name of the embedding layer',
      check: (_, value) => value,
      otherwise: 'off',
      about: 'Name of the embedding whose table is the weight, transposed.',
    },
  },
  prepare: (spec, context) =>
    'tied' in spec && spec.tied !== undefined ? completeTied(spec, context) : spec,
  complete: (spec) => spec as CompleteLinear,
  sizes: ({ inFeatures, outFeatures }) => ({ inputs: inFeatures, outputs: outFeatures }),
  lower(layer, build) {
    const tied = 'tied' in layer ? (build.of(layer.tied) as EmbeddingNode) : undefined;
    build.add(new LinearNode(build.top, layer, tied));
    if (layer.activation) lowerActivation(layer.name, layer.activation, build);
  },
};
