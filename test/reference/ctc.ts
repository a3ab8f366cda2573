/**
 * CTC (Graves et al. 2006) in float64, twice: by its definition, a sum over every alignment, and by
 * the recursion of the paper in plain probabilities, whose gradient gradcheck proves.
 */
import type { Vec } from './math.ts';

/** logits [T, V] as probabilities */
function softmaxRows(x: Vec, classes: number): Vec {
  const p = Float64Array.from(x);
  for (let row = 0; row < p.length; row += classes) {
    const high = Math.max(...x.subarray(row, row + classes));
    let sum = 0;
    for (let k = row; k < row + classes; k++) sum += p[k] = Math.exp(x[k]! - high);
    for (let k = row; k < row + classes; k++) p[k]! /= sum;
  }
  return p;
}

/** What an alignment says: repetitions as one, then without blanks. */
function collapse(path: readonly number[], blank: number): number[] {
  return path.filter((label, t) => label !== blank && label !== path[t - 1]);
}

/** -log of the sum over all V^T alignments. */
export function ctcByAlignments(
  x: Vec,
  classes: number,
  labels: readonly number[],
  blank: number,
): number {
  const steps = x.length / classes;
  const p = softmaxRows(x, classes);
  let total = 0;
  for (let code = 0; code < classes ** steps; code++) {
    const path = Array.from({ length: steps }, (_, t) => Math.floor(code / classes ** t) % classes);
    if (collapse(path, blank).join() !== labels.join()) continue;
    total += path.reduce((product, label, t) => product * p[t * classes + label]!, 1);
  }
  return -Math.log(total);
}

/**
 * Loss and its gradient by the logits, by forward and backward variables of plain probabilities.
 */
export function ctc(
  x: Vec,
  classes: number,
  labels: readonly number[],
  blank: number,
): { loss: number; gradient: Vec } {
  const steps = x.length / classes;
  const p = softmaxRows(x, classes);
  const extended = [blank, ...labels.flatMap((label) => [label, blank])];
  const places = extended.length;
  const at = (t: number, s: number): number => p[t * classes + extended[s]!]!;
  const jumps = (s: number): boolean =>
    s > 1 && extended[s] !== blank && extended[s] !== extended[s - 2];
  const alpha = Array.from({ length: steps }, () => new Float64Array(places));
  const beta = Array.from({ length: steps }, () => new Float64Array(places));
  for (let t = 0; t < steps; t++) {
    for (let s = 0; s < places; s++) {
      const from = t === 0 ? Number(s < 2) : alpha[t - 1]![s]!;
      const step = t > 0 && s > 0 ? alpha[t - 1]![s - 1]! : 0;
      const jump = t > 0 && jumps(s) ? alpha[t - 1]![s - 2]! : 0;
      alpha[t]![s] = (from + step + jump) * at(t, s);
    }
  }
  for (let t = steps - 1; t >= 0; t--) {
    for (let s = 0; s < places; s++) {
      const stay = t === steps - 1 ? Number(s >= places - 2) : beta[t + 1]![s]!;
      const step = t < steps - 1 && s + 1 < places ? beta[t + 1]![s + 1]! : 0;
      const jump = t < steps - 1 && s + 2 < places && jumps(s + 2) ? beta[t + 1]![s + 2]! : 0;
      beta[t]![s] = (stay + step + jump) * at(t, s);
    }
  }
  const final = alpha[steps - 1]!;
  const total = final[places - 1]! + (places > 1 ? final[places - 2]! : 0);
  const gradient = Float64Array.from(p);
  for (let t = 0; t < steps; t++) {
    for (let s = 0; s < places; s++) {
      gradient[t * classes + extended[s]!]! -= (alpha[t]![s]! * beta[t]![s]!) / at(t, s) / total;
    }
  }
  return { loss: -Math.log(total), gradient };
}
