/**
 * Random calls of the kernel of attention against the float64 reference: queries and keys of
 * different steps, lengths and orders, which no model has so far.
 */
import type { Engine } from '../../src/engine/engine.ts';
import { NONE } from '../../src/engine/plan.ts';
import { attentionBackward, attentionForward, type Attention } from '../reference/attention.ts';
import type { Vec } from '../reference/math.ts';
import type { Dims } from '../reference/stack.ts';
import { Buffers, offsetsOf } from './buffers.ts';
import { requireNear, rounded } from './layer-kernels.ts';
import { createRandom, type Random } from './random.ts';

const FORWARD_TOLERANCE = 2e-6;
/** Sums over steps, of the largest gradient. */
const GRADIENT_TOLERANCE = 1e-5;

/** The rows of a batch in the engine's order: longest first, only those that are there. */
class Packing {
  readonly dims: Dims;
  readonly offsets: number[];
  /** The sequence at each place. */
  readonly order: number[];
  /** Where each row is in [T, B]. */
  readonly rows: number[];

  constructor(random: Random, batch: number, most: number) {
    const lengths = Array.from({ length: batch }, () => random.integer(0, most));
    if (random.unit() < 0.3) lengths.fill(most);
    const steps = Math.max(1, ...lengths);
    this.dims = { steps, batch, lengths };
    this.order = [...lengths.keys()].sort((a, b) => lengths[b]! - lengths[a]! || a - b);
    this.offsets = offsetsOf(
      this.order.map((b) => lengths[b]!),
      steps,
    );
    this.rows = this.offsets.slice(0, -1).flatMap((first, t) => {
      const count = this.offsets[t + 1]! - first;
      return this.order.slice(0, count).map((b) => t * batch + b);
    });
  }

  /** Numbers of rows [T, B, width], and of these the rows that are there. */
  packed(x: Vec, width: number): number[] {
    return this.rows.flatMap((row) => [...x.subarray(row * width, (row + 1) * width)]);
  }
}

export function checkAttention(engine: Engine, seed: number): void {
  const random = createRandom(seed);
  const heads = random.pick([1, 1, 2, 3]);
  const attention: Attention = {
    score: random.pick(['dot', 'scaledDot', 'additive', 'concat'] as const),
    heads,
    causal: random.unit() < 0.4,
  };
  const isDot = /dot/i.test(attention.score);
  const isOneWeight = attention.score === 'concat';
  const [size, valueSize] = [random.integer(1, 19), random.integer(1, 19)];
  const [width, valueWidth] = [heads * size, heads * valueSize];
  const batch = random.integer(1, 4);
  const longest = (): number => (random.unit() < 0.1 ? 60 : random.integer(1, 12));
  const [queries, keys] = [
    new Packing(random, batch, longest()),
    new Packing(random, batch, longest()),
  ];
  const draw = ({ dims }: Packing, own: number): Vec => rounded(random, dims.steps * batch * own);
  const [q, k, v] = [draw(queries, width), draw(keys, width), draw(keys, valueWidth)];
  const dy = draw(queries, valueWidth);
  const weight = isDot ? undefined : rounded(random, isOneWeight ? 1 : width);
  const scale = random.unit() < 0.5 ? rounded(random, 1, 2) : undefined;
  // What is there already.
  const [dq, dk, dv] = [draw(queries, width), draw(keys, width), draw(keys, valueWidth)];
  const dWeight = weight && rounded(random, weight.length);
  const dScale = scale && rounded(random, 1);

  const buffers = new Buffers(engine, random);
  const rows = (packing: Packing, own: number, values?: Vec) =>
    buffers.rows(packing.rows.length, own, values && packing.packed(values, own));
  const vector = (values: Vec | undefined) => (values ? buffers.vector(values) : NONE);
  const isSame = queries.order.every((b, place) => b === keys.order[place]);
  const at = {
    q: rows(queries, width, q),
    k: rows(keys, width, k),
    v: rows(keys, valueWidth, v),
    y: rows(queries, valueWidth),
    dq: rows(queries, width, dq),
    dk: rows(keys, width, dk),
    dv: rows(keys, valueWidth, dv),
  };
  // Rows of gradients are as far apart as those of the outputs.
  const gradient = buffers.rows(
    queries.rows.length,
    valueWidth,
    queries.packed(dy, valueWidth),
    at.y.row / 16 - Math.ceil(valueWidth / 4),
  );
  const fields = {
    offsets: buffers.integers(queries.offsets),
    keyOffsets: buffers.integers(keys.offsets),
    places:
      isSame && random.unit() < 0.5
        ? NONE
        : buffers.integers(queries.order.map((b) => keys.order.indexOf(b))),
    scale: vector(scale),
    weight: vector(weight),
    dScale: vector(dScale),
    dWeight: vector(dWeight),
    scratch: buffers.vector(2 * Math.ceil(keys.dims.steps / 4) * 4 + Math.ceil(size / 4) * 4),
  };
  const descriptor = buffers.descriptor('Attention');
  buffers.place();
  const { kernels } = buffers;
  const factor = attention.score === 'scaledDot' ? 1 / Math.sqrt(size) : 1;
  const [steps, keySteps] = [queries.dims.steps, keys.dims.steps];
  kernels.write(descriptor, { ...fields, heads, factor, steps, keySteps, dy: gradient.slot });
  kernels.write(descriptor, { isCausal: Number(attention.causal), width: 4 * size });
  kernels.write(descriptor, { isOneWeight: Number(isOneWeight), valueWidth: 4 * valueSize });
  for (const [name, { slot, row }] of Object.entries(at)) {
    const key = name as keyof typeof at;
    kernels.write(descriptor, { [key]: slot, [`${key}Row`]: row });
  }
  kernels.run.attention_forward(descriptor.address);
  const y = buffers.readRows(at.y);
  kernels.run.attention_backward(descriptor.address);
  const got = {
    dq: buffers.readRows(at.dq),
    dk: buffers.readRows(at.dk),
    dv: buffers.readRows(at.dv),
    weight: buffers.read(fields.dWeight, dWeight?.length ?? 0),
    scale: buffers.read(fields.dScale, dScale?.length ?? 0),
  };
  buffers.free();

  const label = `${engine.variant} ${JSON.stringify(attention)}, seed ${seed}`;
  const inputs = { q, k, v, dims: queries.dims, keyDims: keys.dims };
  const wanted = { weight: dWeight?.slice(), scale: dScale?.slice() };
  const gradients = attentionBackward(attention, { weight, scale }, wanted, inputs, dy);
  const outputs = attentionForward(attention, { weight, scale }, inputs);
  requireNear(`${label}: y`, y, queries.packed(outputs, valueWidth), FORWARD_TOLERANCE);
  const check = (what: 'dq' | 'dk' | 'dv', packing: Packing, own: number, before: Vec): void => {
    const sum = gradients[what].map((value, n) => value + before[n]!);
    requireNear(`${label}: ${what}`, got[what], packing.packed(sum, own), GRADIENT_TOLERANCE);
  };
  check('dq', queries, width, dq);
  check('dk', keys, width, dk);
  check('dv', keys, valueWidth, dv);
  requireNear(`${label}: dWeight`, got.weight, wanted.weight ?? [], GRADIENT_TOLERANCE);
  requireNear(`${label}: dScale`, got.scale, wanted.scale ?? [], GRADIENT_TOLERANCE);
}
