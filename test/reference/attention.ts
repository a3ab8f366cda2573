/**
 * Attention over queries q [T, B, W], keys k [T', B, W] and values v [T', B, V], one number at a
 * time. Of every head, with D features of q and k in it, valid query i and valid keys j, no later
 * than i where it is causal:
 *
 *     dot:        s_ij = a q_i k_j                  scaledDot: the same / sqrt(D)
 *     additive:   s_ij = sum over d of w_d tanh(a (q_id + k_jd)); concat: w_d = w
 *     p_ij = e^s_ij / sum over l of e^s_il          y_i = sum of p_ij v_j, 0 without a key
 */
import type { Vec } from './math.ts';
import { softmax, softmaxBackward } from './softmax.ts';
import type { Dims } from './stack.ts';

export interface Attention {
  readonly score: 'dot' | 'scaledDot' | 'additive' | 'concat';
  readonly heads: number;
  readonly causal: boolean;
}

/** w [W] or [1], and a [1]; 1 where it is absent. */
export interface AttentionWeights {
  readonly weight: Vec | undefined;
  readonly scale: Vec | undefined;
}

export interface AttentionInputs {
  readonly q: Vec;
  readonly k: Vec;
  readonly v: Vec;
  /** Of the queries, and of keys and values. */
  readonly dims: Dims;
  readonly keyDims: Dims;
}

/** One head of one query and of all keys that it sees: where their features are, from first on. */
interface Query {
  readonly head: number;
  readonly q: number;
  readonly y: number;
  readonly keys: readonly { readonly k: number; readonly v: number }[];
}

const lengthOf = ({ steps, lengths }: Dims, b: number): number => lengths?.[b] ?? steps;

function eachQuery(
  { heads, causal }: Attention,
  { q, v, dims, keyDims }: AttentionInputs,
  body: (query: Query, sizes: { readonly width: number; readonly valueWidth: number }) => void,
): void {
  const { batch } = dims;
  const width = q.length / (dims.steps * batch * heads);
  const valueWidth = v.length / (keyDims.steps * batch * heads);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < lengthOf(dims, b); i++) {
      for (let head = 0; head < heads; head++) {
        const place = (step: number): number => (step * batch + b) * heads + head;
        const seen = Math.min(lengthOf(keyDims, b), causal ? i + 1 : Infinity);
        const keys = Array.from({ length: seen }, (_, j) => ({
          k: place(j) * width,
          v: place(j) * valueWidth,
        }));
        const query = { head, q: place(i) * width, y: place(i) * valueWidth, keys };
        body(query, { width, valueWidth });
      }
    }
  }
}

const dot = (a: Vec, b: Vec): number => a.reduce((sum, value, d) => sum + value * b[d]!, 0);

/** The score of a head's q and k, w its own. */
function scoreOf({ score }: Attention, w: Vec | undefined, a: number, q: Vec, k: Vec): number {
  if (score === 'dot') return a * dot(q, k);
  if (score === 'scaledDot') return (a * dot(q, k)) / Math.sqrt(q.length);
  return dot(
    w!,
    q.map((value, d) => Math.tanh(a * (value + k[d]!))),
  );
}

/** A head's own part of w. */
function weightOf(weight: Vec | undefined, head: number, width: number): Vec | undefined {
  if (!weight) return undefined;
  if (weight.length === 1) return new Float64Array(width).fill(weight[0]!);
  return weight.subarray(head * width, (head + 1) * width);
}

/** The scores of the keys of a query. */
function scoresOf(
  attention: Attention,
  { weight, scale }: AttentionWeights,
  { q, k }: AttentionInputs,
  query: Query,
  width: number,
): Vec {
  const own = q.subarray(query.q, query.q + width);
  const w = weightOf(weight, query.head, width);
  const scores = query.keys.map((key) =>
    scoreOf(attention, w, scale?.[0] ?? 1, own, k.subarray(key.k, key.k + width)),
  );
  return Float64Array.from(scores);
}

export function attentionForward(
  attention: Attention,
  weights: AttentionWeights,
  inputs: AttentionInputs,
): Vec {
  const { v, dims, keyDims } = inputs;
  const y = new Float64Array((v.length / keyDims.steps) * dims.steps);
  eachQuery(attention, inputs, (query, { width, valueWidth }) => {
    const p = softmax(scoresOf(attention, weights, inputs, query, width));
    for (let d = 0; d < valueWidth; d++)
      y[query.y + d] = dot(
        p,
        Float64Array.from(query.keys, (key) => v[key.v + d]!),
      );
  });
  return y;
}

/** Gives the gradients of q, k and v, and adds those of the weights. */
export function attentionBackward(
  attention: Attention,
  weights: AttentionWeights,
  gradients: AttentionWeights,
  inputs: AttentionInputs,
  dy: Vec,
): { dq: Vec; dk: Vec; dv: Vec } {
  const { q, k, v } = inputs;
  const [dq, dk, dv] = [q, k, v].map(({ length }) => new Float64Array(length)) as [Vec, Vec, Vec];
  const a = weights.scale?.[0] ?? 1;
  eachQuery(attention, inputs, (query, { width, valueWidth }) => {
    const scores = scoresOf(attention, weights, inputs, query, width);
    const p = softmax(scores);
    const own = dy.subarray(query.y, query.y + valueWidth);
    const dp = query.keys.map((key) => dot(own, v.subarray(key.v, key.v + valueWidth)));
    const ds = softmaxBackward(scores, Float64Array.from(dp));
    const w = weightOf(weights.weight, query.head, width);
    query.keys.forEach((key, j) => {
      own.forEach((value, d) => (dv[key.v + d]! += p[j]! * value));
      for (let d = 0; d < width; d++) {
        const [x, z] = [q[query.q + d]!, k[key.k + d]!];
        if (!w) {
          const factor = ds[j]! / (attention.score === 'scaledDot' ? Math.sqrt(width) : 1);
          dq[query.q + d]! += factor * a * z;
          dk[key.k + d]! += factor * a * x;
          if (gradients.scale) gradients.scale[0]! += factor * x * z;
          continue;
        }
        const t = Math.tanh(a * (x + z));
        const slope = ds[j]! * w[d]! * (1 - t * t);
        dq[query.q + d]! += slope * a;
        dk[key.k + d]! += slope * a;
        if (gradients.scale) gradients.scale[0]! += slope * (x + z);
        const into = gradients.weight!;
        into[into.length === 1 ? 0 : query.head * width + d]! += ds[j]! * t;
      }
    });
  });
  return { dq, dk, dv };
}
