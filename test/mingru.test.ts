/**
 * The cell minGRU: its float64 reference against central differences, and the kernels against the
 * reference, forward and backward, on random shapes. The kernels are called as a layer calls them.
 */
import { afterAll, describe, expect, it } from 'vitest';
import {
  CELL_MINGRU,
  POLICY_CHOSEN,
  POLICY_USUAL,
  ACTIVATION_HARD_SIGMOID,
  ACTIVATION_SOFTSIGN,
} from '../assembly/shared/codes.ts';
import { kernelsOf } from '../src/engine/engine.ts';
import { part, Plan, type Slot } from '../src/engine/plan.ts';
import type { Engine } from '../src/hosts/default.ts';
import { curveOf, type Curve } from './reference/activation.ts';
import type { CellWeights, StepTape } from './reference/cell.ts';
import { minGruCell } from './reference/mingru.ts';
import { sameBits } from './support/agreement.ts';
import { createEngine, variants } from './support/engines.ts';
import { ATOL, EPS, RTOL, slope } from './support/gradcheck.ts';
import { largestError } from './support/product.ts';
import { createRandom } from './support/random.ts';

type Vec = Float64Array;

interface Problem {
  readonly inputs: number;
  readonly hidden: number;
  readonly steps: number;
  /** Longest first. */
  readonly lengths: readonly number[];
  readonly chosen: boolean;
  readonly clip: number;
  readonly limit: number;
  /** [2H, I], [2H], the valid rows step by step [M, I], [B, H]; gradients of outputs and last h. */
  readonly w: Vec;
  readonly b: Vec;
  readonly x: Vec;
  readonly h0: Vec;
  readonly dy: Vec;
  readonly dLast: Vec;
}

interface Answer {
  readonly y: Vec;
  readonly last: Vec;
  readonly dw: Vec;
  readonly db: Vec;
  readonly dx: Vec;
  readonly dh0: Vec;
}

/** The first row of every step, and behind the last the number of rows. */
function offsetsOf({ steps, lengths }: Problem): number[] {
  const offsets = [0];
  for (let t = 0; t < steps; t++) {
    offsets.push(offsets[t]! + lengths.filter((length) => length > t).length);
  }
  return offsets;
}

function createProblem(seed: number, most: number): Problem {
  const random = createRandom(seed);
  const [inputs, hidden] = [random.integer(1, most), random.integer(1, most)];
  const steps = random.integer(1, 8);
  const batch = random.integer(1, 7);
  const isRagged = random.unit() < 0.5;
  const lengths = Array.from({ length: batch }, () =>
    isRagged ? random.integer(1, steps) : steps,
  );
  lengths.sort((a, b) => b - a);
  lengths[0] = steps;
  const chosen = random.unit() < 0.5;
  const rows = lengths.reduce((sum, length) => sum + length, 0);
  // As the kernels have them: float32.
  const vector = (length: number, scale: number): Vec =>
    random.vector(length, scale).map(Math.fround);
  return {
    inputs,
    hidden,
    steps,
    lengths,
    chosen,
    clip: chosen && random.unit() < 0.5 ? 0.75 : Infinity,
    limit: random.unit() < 0.3 ? 0.125 : Infinity,
    w: vector(2 * hidden * inputs, 2 / Math.sqrt(inputs)),
    b: vector(2 * hidden, 1),
    x: vector(rows * inputs, 1),
    h0: vector(batch * hidden, 1),
    dy: vector(rows * hidden, 1),
    dLast: vector(batch * hidden, 1),
  };
}

const curvesOf = ({ chosen, clip }: Problem): readonly [Curve, Curve] =>
  chosen
    ? [curveOf('hardSigmoid', clip), curveOf('softsign', clip)]
    : [curveOf('sigmoid'), curveOf('identity')];

/** The reference over a batch, and how near it came to a kink. */
function solve(problem: Problem): Answer & { kink: number; loss: number } {
  const { inputs, hidden, lengths, w, b, x, h0, dy, dLast, limit } = problem;
  const cell = minGruCell(curvesOf(problem), limit);
  const offsets = offsetsOf(problem);
  const none = new Float64Array(0);
  const weights: CellWeights = { input: { matrix: w }, recurrent: { matrix: none }, biasInput: b };
  const [dw, db] = [new Float64Array(w.length), new Float64Array(b.length)];
  const gradients: CellWeights = {
    input: { matrix: dw },
    recurrent: { matrix: none },
    biasInput: db,
  };
  const [y, dx] = [new Float64Array(dy.length), new Float64Array(x.length)];
  const [last, dh0] = [h0.slice(), new Float64Array(h0.length)];
  let kink = Infinity;
  for (const [row, length] of lengths.entries()) {
    const at = (t: number): number => offsets[t]! + row;
    const state = last.subarray(row * hidden, (row + 1) * hidden);
    const tapes: StepTape[] = [];
    for (let t = 0; t < length; t++) {
      const input = x.slice(at(t) * inputs, (at(t) + 1) * inputs);
      const { next, tape } = cell.forward(weights, hidden, input, { h: state.slice(), c: none });
      kink = Math.min(kink, tape.kink);
      tapes.push(tape);
      state.set(next.h);
      y.set(next.h, at(t) * hidden);
    }
    let dh = dLast.slice(row * hidden, (row + 1) * hidden);
    for (let t = length - 1; t >= 0; t--) {
      const h = dh.map((d, k) => d + dy[at(t) * hidden + k]!);
      const back = cell.backward(weights, gradients, tapes[t] as never, { h, c: none });
      dx.set(back.dx, at(t) * inputs);
      dh = back.dprevious.h.slice();
    }
    dh0.set(dh, row * hidden);
  }
  const dot = (u: Vec, v: Vec): number => u.reduce((sum, value, k) => sum + value * v[k]!, 0);
  return { y, last, dw, db, dx, dh0, kink, loss: dot(y, dy) + dot(last, dLast) };
}

/** Column of gate g of unit u, as matrix/panels.ts says. */
const columnOf = (g: number, u: number): number => (u >> 3) * 16 + g * 8 + (u & 7);

/** Where row k of column j is in panels of four vectors. */
const placeOf = (k: number, j: number, depth: number): number =>
  ((j >> 4) * depth + k) * 16 + (j & 15);

/** The same by the kernels; `cut` runs the steps from there on in a call of their own. */
function run(engine: Engine, problem: Problem, cut = 0): Answer {
  const { inputs, hidden, steps, lengths, chosen, clip, limit } = problem;
  const kernels = kernelsOf(engine);
  const offsets = offsetsOf(problem);
  const [rows, batch] = [offsets[steps]!, lengths.length];
  const padded = Math.ceil(hidden / 8) * 8;
  const [columns, stateRow, dxRow] = [2 * padded, padded + 16, Math.ceil(inputs / 4) * 4];
  const gateRow = columns + 16;
  const plan = new Plan();
  const slots = {
    offsets: plan.reserve(steps + 1),
    x: plan.reserve(rows * inputs),
    dx: plan.reserve(rows * dxRow),
    gatesAll: plan.reserve(rows * gateRow),
    sums: plan.reserve(rows * gateRow),
    hAll: plan.reserve((batch + rows) * stateRow),
    dyAll: plan.reserve(rows * stateRow),
    dh: plan.reserve(batch * stateRow),
    w: plan.reserve(columns * inputs),
    dw: plan.reserve(columns * inputs),
    wTransposed: plan.reserve(columns * Math.ceil(inputs / 16) * 16),
    biasInput: plan.reserve(columns),
    dBiasInput: plan.reserve(columns),
  };
  const [sequence, product] = [plan.descriptor('Sequence'), plan.descriptor('Product')];
  const options = plan.descriptor('Options');
  const [gate, candidate] = [plan.descriptor('Activation'), plan.descriptor('Activation')];
  const block = kernels.arena.allocate(plan.bytes, 'a test', engine);
  plan.place(block);
  try {
    for (const slot of Object.values(slots)) kernels.zero(slot);
    kernels.integers(slots.offsets).set(offsets);
    const put = (to: Slot, row: number, values: Vec, width: number, first = 0): void => {
      const target = kernels.floats(to);
      for (let k = 0; k < values.length; k++) {
        target[(first + Math.floor(k / width)) * row + (k % width)] = values[k]!;
      }
    };
    put(slots.x, inputs, problem.x, inputs);
    put(slots.hAll, stateRow, problem.h0, hidden);
    put(slots.dyAll, stateRow, problem.dy, hidden);
    put(slots.dh, stateRow, problem.dLast, hidden);
    const eachWeight = (visit: (outer: number, inner: number) => void): void => {
      for (let g = 0; g < 2; g++) {
        for (let u = 0; u < hidden; u++) {
          for (let k = 0; k < inputs; k++) {
            visit((g * hidden + u) * inputs + k, placeOf(k, columnOf(g, u), inputs));
          }
        }
      }
    };
    const panels = kernels.floats(slots.w);
    eachWeight((outer, inner) => (panels[inner] = problem.w[outer]!));
    const bias = kernels.floats(slots.biasInput);
    problem.b.forEach((value, k) => (bias[columnOf(Math.floor(k / hidden), k % hidden)] = value));
    if (chosen) {
      kernels.write(gate, { kind: ACTIVATION_HARD_SIGMOID, alpha: 0.2, beta: 0.5 });
      kernels.write(candidate, { kind: ACTIVATION_SOFTSIGN });
      kernels.write(options, {
        gate,
        candidate,
        preactClip: clip,
        renewed: 1,
        sums: slots.sums,
      });
      kernels.write(sequence, { options });
    }
    kernels.write(sequence, {
      ...Object.fromEntries(Object.entries(slots).filter(([name]) => name !== 'sums')),
      bias: slots.biasInput,
      product,
      cell: CELL_MINGRU,
      policy: chosen ? POLICY_CHOSEN : POLICY_USUAL,
      steps,
      batch,
      until: batch,
      inputs,
      hidden,
      padded,
      hiddenBytes: padded * 4,
      columns,
      xRow: inputs * 4,
      dxRow: dxRow * 4,
      stateRow: stateRow * 4,
      gateRow: gateRow * 4,
      gradientLimit: limit,
    });
    kernels.run.sequence_prepare(sequence.address);
    if (cut) {
      kernels.write(sequence, { steps: cut });
      kernels.run.sequence_forward(sequence.address);
      kernels.write(sequence, {
        steps: steps - cut,
        x: part(slots.x, cut * batch * inputs),
        gatesAll: part(slots.gatesAll, cut * batch * gateRow),
        hAll: part(slots.hAll, cut * batch * stateRow),
      });
    }
    kernels.run.sequence_forward(sequence.address);
    const take = (from: Slot, row: number, count: number, width: number, first = 0): Vec => {
      const source = kernels.floats(from);
      return Float64Array.from(
        { length: count * width },
        (_, k) => source[(first + Math.floor(k / width)) * row + (k % width)]!,
      );
    };
    const y = take(slots.hAll, stateRow, rows, hidden, batch);
    const last = new Float64Array(batch * hidden);
    for (const [row, length] of lengths.entries()) {
      const from = offsets[length - 1]! + row;
      last.set(y.subarray(from * hidden, (from + 1) * hidden), row * hidden);
    }
    if (!cut) kernels.run.sequence_backward(sequence.address);
    const dPanels = kernels.floats(slots.dw);
    const dw = new Float64Array(problem.w.length);
    eachWeight((outer, inner) => (dw[outer] = dPanels[inner]!));
    const dBias = kernels.floats(slots.dBiasInput);
    const db = problem.b.map((_, k) => dBias[columnOf(Math.floor(k / hidden), k % hidden)]!);
    const dx = take(slots.dx, dxRow, rows, inputs);
    return { y, last, dw, db, dx, dh0: take(slots.dh, stateRow, batch, hidden) };
  } finally {
    kernels.arena.free(block);
  }
}

it('the reference against central differences', () => {
  let checked = 0;
  for (let seed = 0; checked < 40; seed++) {
    const problem = { ...createProblem(seed, 4), limit: Infinity };
    const { dw, db, dx, dh0, kink } = solve(problem);
    if (kink < 100 * EPS) continue;
    checked++;
    const { w, b, x, h0 } = problem;
    for (const [name, value, gradient] of [
      ['w', w, dw],
      ['b', b, db],
      ['x', x, dx],
      ['h0', h0, dh0],
    ] as const) {
      for (let k = 0; k < value.length; k++) {
        const numeric = slope(value, k, () => solve(problem).loss);
        const error = Math.abs(numeric - gradient[k]!);
        expect(error, `seed ${seed}, d/d ${name}[${k}]`).toBeLessThan(
          ATOL + RTOL * Math.abs(numeric),
        );
      }
    }
  }
});

describe.each(variants)('kernels of the minimal GRU, %s SIMD', (variant) => {
  const engine = createEngine(variant);
  afterAll(() => engine.dispose());

  it('300 random configurations, forward and backward', () => {
    let checked = 0;
    for (let seed = 1; checked < 300; seed++) {
      const problem = createProblem(seed, 20);
      const wanted = solve(problem);
      // Rounding moves what a clip or a kink sees by less than this.
      if (wanted.kink < 1e-5) continue;
      checked++;
      const got = run(engine, problem);
      for (const name of ['y', 'last', 'dw', 'db', 'dx', 'dh0'] as const) {
        const largest = wanted[name].reduce((most, value) => Math.max(most, Math.abs(value)), 0.1);
        const error = largestError(got[name], wanted[name]) / largest;
        // As in property.test.ts: forward, and gradients.
        const allowed = name === 'y' || name === 'last' ? 2e-6 : 1e-4;
        expect(error, `seed ${seed}, ${name}`).toBeLessThanOrEqual(allowed);
      }
    }
  });

  it('a cut through the steps and each row alone have the same bits', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const drawn = createProblem(seed, 20);
      const batch = drawn.lengths.length;
      const rows = batch * drawn.steps;
      const random = createRandom(seed);
      const { inputs, hidden, steps } = drawn;
      const problem = {
        ...drawn,
        lengths: Array.from({ length: batch }, () => steps),
        x: random.vector(rows * inputs, 1),
        dy: random.vector(rows * hidden, 1),
      };
      const whole = Float32Array.from(run(engine, problem).y);
      if (steps > 1) {
        const pieces = run(engine, problem, random.integer(1, steps - 1)).y;
        expect(sameBits(Float32Array.from(pieces), whole), `seed ${seed}, cut`).toBe(true);
      }
      const row = random.integer(0, batch - 1);
      const pick = (all: Vec, width: number): Vec =>
        Float64Array.from({ length: steps * width }, (_, k) => {
          return all[(Math.floor(k / width) * batch + row) * width + (k % width)]!;
        });
      const alone = run(engine, {
        ...problem,
        lengths: [steps],
        x: pick(problem.x, inputs),
        dy: pick(problem.dy, hidden),
        h0: problem.h0.slice(row * hidden, (row + 1) * hidden),
        dLast: problem.dLast.slice(row * hidden, (row + 1) * hidden),
      }).y;
      const wanted = Float32Array.from(pick(Float64Array.from(whole), hidden));
      expect(sameBits(Float32Array.from(alone), wanted), `seed ${seed}, row ${row}`).toBe(true);
    }
  });
});
