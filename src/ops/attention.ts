import { checkInteger, roundUp } from '../base/check.ts';
import { GatefoldError } from '../base/errors.ts';
import { NONE } from '../engine/plan.ts';
import type { Plan } from '../engine/plan.ts';
import type { Bound, Initial, Matrix, Node, Op, ParameterSpec, PassSize, Places } from './op.ts';
import { count, flag } from './options.ts';
import { inputWidths, widthsOf } from './shape.ts';

/**
 * Every step of the first input, a query q, sees all valid steps j of the others: values v_j, and
 * keys k_j, which are the values where `inputs` names none. Of one input all are the same. The
 * output is sum of p_j v_j with p = softmax of the scores, 0 where there is no key.
 */
export interface AttentionSpec {
  readonly type: 'attention';
  /** Prefix of its parameters, and what other layers call it; default its type. */
  readonly name?: string;
  /**
   * Default `scaledDot`. Queries and keys have as many features D, or D / heads in each head:
   *
   *     dot         q k                          scaledDot   q k / sqrt(D / heads)
   *     additive    sum of w tanh(q + k), `weight` (w) [D]
   *     concat      the same with one w of all features, `weight` [1]
   */
  readonly score?: 'dot' | 'scaledDot' | 'additive' | 'concat';
  /** Equal parts of the features, each with scores of its own; default 1. */
  readonly heads?: number;
  /**
   * Whether a learned number, `scale` [1], multiplies what scores are made of, q k or q + k;
   * default false.
   */
  readonly scale?: boolean;
  /** Whether a query sees no later step than its own; default false. */
  readonly causal?: boolean;
  /** Features of each layer that it reads; taken from these when absent. */
  readonly inputSizes?: readonly number[];
}

export type CompleteAttention = Required<AttentionSpec>;

/** Of what a layer reads: which is the queries, the values and the keys. */
const placesOf = ({ length }: readonly unknown[]): Readonly<Record<'q' | 'v' | 'k', number>> => ({
  q: 0,
  v: Math.min(1, length - 1),
  k: length - 1,
});

const sum = (widths: readonly number[]): number => widths.reduce((all, width) => all + width);

function attentionNode(sources: readonly number[], layer: CompleteAttention): Node {
  const { name, score, heads, scale, causal, inputSizes: widths } = layer;
  const places = placesOf(sources);
  const width = widths[0]!;
  const outputs = widths[places.v]!;
  const row = roundUp(outputs, 4);
  const isVector = score === 'additive';
  const parameter = (role: 'weight' | 'scale', length: number): ParameterSpec[] => {
    // Of a vector: that of `torch.nn.Linear` of one output, and Glorot's of as many as inputs.
    const initial = (part: number): Initial =>
      role === 'weight' && isVector
        ? { kind: 'uniform', limit: Math.sqrt((part * heads) / width) }
        : { kind: 'fill', value: 1 };
    const spec = {
      role,
      name: `${name}.${role}`,
      shape: [length],
      layout: { row: roundUp(length, 4) },
      initial: { pytorch: initial(1), keras: initial(3) },
    };
    return length ? [spec] : [];
  };
  const parameters = [
    ...parameter('weight', isVector ? width : Number(score === 'concat')),
    ...parameter('scale', Number(scale)),
  ];
  return {
    name,
    layer: name,
    sources,
    widths,
    inputs: sum(widths),
    outputs,
    rowLength: row,
    parameters,
    states: [],
    isWhole: true,
    aside: 1,
    // Of itself a sequence sees steps that are still to come.
    streamsBeside: sources.length > 1 && !causal,
    isRowwise: sources.length > 1,
    noStream: `a stream cannot run "${name}", which sees all steps of a sequence: use model.forward()`,
    reserve(plan: Plan, at: Places, { batch, steps, mode }: PassSize): Bound {
      const { kernels } = at;
      const isTraining = mode === 'train';
      const keySteps = at.stepsOf(places.k);
      const masked = at.masked(places.q);
      const attention = plan.descriptor('Attention');
      const output = plan.reserve(batch * steps * row);
      const gradient = isTraining ? plan.reserve(batch * steps * row) : NONE;
      const scratch = plan.reserve(2 * roundUp(keySteps, 4) + roundUp(width / heads, 4));
      const { there } = at.crossing(places.k);
      // Gradients of inputs are sums over the steps. Where one has the place of its input, as that
      // of a linear layer's outputs, it goes there last.
      const sums = sources.map((_, k): Matrix => {
        const target = at.gradientOfInput(k);
        const isReplaced = isTraining && target.slot === at.input(k).slot;
        const most = batch * at.stepsOf(k) * target.row;
        return isReplaced ? { ...target, slot: plan.reserve(most) } : target;
      });
      let rows: readonly number[] = [];
      return {
        output: { slot: output, row },
        gradient,
        ...(masked && { masked }),
        describe: () => {
          kernels.write(attention, {
            heads,
            isCausal: Number(causal),
            isOneWeight: Number(score === 'concat'),
            width: (width / heads) * 4,
            valueWidth: (outputs / heads) * 4,
            factor: score === 'scaledDot' ? Math.sqrt(heads / width) : 1,
            offsets: at.offsets,
            keyOffsets: at.offsetsOf(places.k),
            places: there,
            y: output,
            yRow: row * 4,
            dy: gradient,
            scratch,
          });
          for (const role of ['q', 'v', 'k'] as const) {
            const [x, dx] = [at.input(places[role]), sums[places[role]]!];
            kernels.set(attention, role, x.slot);
            kernels.set(attention, `${role}Row`, x.row * 4);
            kernels.set(attention, `d${role}`, dx.slot);
            kernels.set(attention, `d${role}Row`, dx.row * 4);
          }
          for (const { role } of parameters) {
            const isScale = role === 'scale';
            kernels.set(attention, isScale ? role : 'weight', at.parameter(role));
            if (!isTraining) continue;
            kernels.set(attention, isScale ? 'dScale' : 'dWeight', at.gradient(role));
          }
        },
        arrange: (extent, _, read) => {
          rows = read.map((each) => each.rows);
          kernels.set(attention, 'steps', extent.steps);
          kernels.set(attention, 'keySteps', read[places.k]!.steps);
        },
        forward: () => kernels.run.attention_forward(attention.address),
        backward: (wantsInput) => {
          if (!wantsInput && !parameters.length) return;
          sums.forEach(({ slot, row: length }, k) => kernels.zero(slot, 0, rows[k]! * length));
          kernels.run.attention_backward(attention.address);
          for (let k = 0; k < sums.length; k++) {
            const { slot, row: length } = sums[k]!;
            const target = at.gradientOfInput(k).slot;
            if (slot !== target) kernels.copy(target, 0, slot, 0, rows[k]! * length);
          }
        },
      };
    },
  };
}

export const attention: Op<AttentionSpec, CompleteAttention> = {
  type: 'attention',
  isJoin: true,
  options: {
    score: {
      kind: 'choice',
      choices: ['dot', 'scaledDot', 'additive', 'concat'],
      otherwise: 'scaledDot',
      about: 'How well a query and a key fit.',
      pytorch: 'always scaledDot',
      keras: 'score_mode; AdditiveAttention, MultiHeadAttention',
      onnx: 'scale',
    },
    heads: count({
      otherwise: 1,
      about: 'Equal parts of the features, each with scores of its own.',
      pytorch: 'num_heads',
      keras: 'num_heads',
      onnx: 'q_num_heads, kv_num_heads',
    }),
    scale: flag(false, {
      about: 'Whether a learned number, `scale`, multiplies what scores are made of.',
      keras: 'use_scale of Attention',
    }),
    causal: flag(false, {
      about: 'Whether a query sees no later step than its own.',
      pytorch: 'is_causal',
      keras: 'use_causal_mask',
      onnx: 'is_causal',
    }),
    inputSizes: inputWidths,
  },
  complete(spec, context) {
    const { at } = context;
    const inputSizes = widthsOf(spec.inputSizes, context);
    checkInteger(`${at}.inputs.length`, inputSizes.length, 1, 3);
    const places = placesOf(inputSizes);
    const [q, v, k] = [inputSizes[0]!, inputSizes[places.v]!, inputSizes[places.k]!];
    if (q !== k) {
      const message = `"${at}" expected queries and keys of as many features, got ${q} and ${k}`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
    const heads = spec.heads!;
    if (q % heads || v % heads) {
      const message = `"${at}.heads" expected a divisor of ${q} and ${v}, the features of queries and values, got ${heads}`;
      throw new GatefoldError('ERR_SHAPE', message);
    }
    return { ...spec, inputSizes } as CompleteAttention;
  },
  sizes: ({ inputSizes: each }) => ({
    inputs: sum(each),
    each,
    outputs: each[placesOf(each).v]!,
  }),
  lower: (layer, build) => void build.add(attentionNode(build.sources, layer)),
};
