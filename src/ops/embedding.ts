import { roundUp } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import type { Bound, Derived, Node, Op, ParameterSpec, PassSize, Places, StateSpec } from './op.ts';
import { flag, width } from './options.ts';

/**
 * A table look-up, `torch.nn.Embedding`. Only as the first layer: its input is tokens, `Int32Array`
 * [T, B].
 */
export interface EmbeddingSpec {
  readonly type: 'embedding';
  /** Prefix of the parameter names; the type by default. */
  readonly name?: string;
  /** V: tokens are 0 to V - 1. */
  readonly numEmbeddings: number;
  /** Features of a token. */
  readonly embeddingDim: number;
  /** Whether steps of token 0 are masked, Keras' `mask_zero`: see `MaskingSpec`. Default false. */
  readonly maskZero?: boolean;
}

export type CompleteEmbedding = Required<Omit<EmbeddingSpec, 'maskZero'>> &
  Pick<EmbeddingSpec, 'maskZero'>;

/** Rows of a table, by tokens. */
export class EmbeddingNode implements Node {
  readonly sources: readonly number[];
  readonly inputs = 1;
  readonly states: readonly StateSpec[] = [];
  readonly isRowwise = true;
  readonly name: string;
  readonly layer: string;
  readonly outputs: number;
  readonly tokens: number;
  /** Elements from row to row of the table, and of the outputs. */
  readonly rowLength: number;
  readonly parameters: readonly ParameterSpec[];
  /** Its table in panels, once for all layers that are tied to it. */
  panels: Derived | undefined;
  readonly #maskZero: boolean;

  constructor(
    source: number,
    { name, numEmbeddings, embeddingDim, maskZero = false }: CompleteEmbedding,
  ) {
    this.sources = [source];
    this.#maskZero = maskZero;
    this.name = name;
    this.layer = name;
    this.tokens = numEmbeddings;
    this.outputs = embeddingDim;
    this.rowLength = roundUp(embeddingDim, 4);
    this.parameters = [
      {
        role: 'table',
        name: `${name}.weight`,
        shape: [numEmbeddings, embeddingDim],
        layout: { row: this.rowLength },
        initial: { pytorch: { kind: 'normal' }, keras: { kind: 'uniform', limit: 0.05 } },
      },
    ];
  }

  reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
    const { kernels } = at;
    const row = this.rowLength;
    const lookup = plan.descriptor('Lookup');
    const output = plan.reserve(batch * steps * row);
    const isTraining = mode === 'train';
    const gradient = isTraining ? plan.reserve(batch * steps * row) : NONE;
    const dTableRest = isTraining ? at.rest('table') : NONE;
    const masked = this.#maskZero ? plan.reserve(batch * steps) : undefined;
    return {
      output: { slot: output, row },
      gradient,
      ...(masked && { masked }),
      describe: () =>
        kernels.write(lookup, {
          count: this.tokens,
          rowBytes: row * 4,
          tokens: at.input(0).slot,
          table: at.parameter('table'),
          out: output,
          masked: masked ?? NONE,
          dOut: gradient,
          dTable: isTraining ? at.gradient('table') : NONE,
          dTableRest,
        }),
      arrange: ({ rows }) => kernels.set(lookup, 'rows', rows),
      forward: () => kernels.run.embedding_forward(lookup.address),
      backward: () => kernels.run.embedding_backward(lookup.address),
    };
  }
}

export const embedding: Op<EmbeddingSpec, CompleteEmbedding> = {
  type: 'embedding',
  options: {
    numEmbeddings: width({
      about: 'V, rows of the table: tokens are 0 to V - 1.',
      pytorch: 'num_embeddings',
      keras: 'input_dim',
    }),
    embeddingDim: width({
      about: 'Features of a token.',
      pytorch: 'embedding_dim',
      keras: 'output_dim',
    }),
    maskZero: flag('off', {
      about: 'Whether steps of token 0 are masked.',
      keras: 'mask_zero',
    }),
  },
  complete(spec, { at, readsInputs }) {
    if (readsInputs) return spec as CompleteEmbedding;
    const message = `"${at}" an embedding can only read the inputs of the model, as the first layer does`;
    throw new GatefoldError('ERR_ARGUMENT', message);
  },
  sizes: ({ embeddingDim }) => ({ inputs: 1, outputs: embeddingDim, tokens: true }),
  lower: (layer, build) => void build.add(new EmbeddingNode(build.top, layer)),
};
