import {
  anyFloats,
  checkFlag,
  checkInteger,
  checkList,
  ownFloats,
  readOptions,
} from '../../base/check.ts';
import { largest } from '../../model/outputs.ts';
import { checkLengths } from '../../ops/pass.ts';

/**
 * The labels of the likeliest class of every step, repetitions as one and without blanks: the best
 * path of CTC, one list a row.
 *
 * @param logits [T, B, O], with `batchFirst` [B, T, O].
 */
export function greedyCtc(
  logits: Float32Array,
  options: {
    readonly steps: number;
    readonly batch?: number;
    readonly lengths?: ArrayLike<number>;
    readonly batchFirst?: boolean;
    readonly blank?: number;
  },
): number[][] {
  const keys = ['steps', 'batch', 'lengths', 'batchFirst', 'blank'] as const;
  const rest = readOptions('options', options, keys);
  const batchFirst = checkFlag('batchFirst', rest.batchFirst);
  const steps = checkInteger('steps', rest.steps, 1);
  const batch = checkInteger('batch', rest.batch ?? 1, 1);
  const lengths = checkLengths(rest.lengths, batch, steps);
  const own = anyFloats('logits', logits);
  const classes = Math.max(1, Math.floor(own.length / (steps * batch)));
  const values = ownFloats('logits', own, steps * batch * classes, 'steps x batch x classes');
  const blank = checkInteger('blank', rest.blank ?? 0, 0, classes - 1);
  return Array.from({ length: batch }, (_, b) => {
    const labels: number[] = [];
    let before = blank;
    for (let t = 0; t < (lengths ? lengths[b]! : steps); t++) {
      const from = (batchFirst ? b * steps + t : t * batch + b) * classes;
      const best = largest(values, from, classes);
      if (best !== before && best !== blank) labels.push(best);
      before = best;
    }
    return labels;
  });
}

/**
 * Insertions, deletions and substitutions that turn `found` into `wanted`, by the labels of
 * `wanted`: 0 where all rows are right.
 */
export function labelErrorRate(
  found: readonly (readonly number[])[],
  wanted: readonly (readonly number[])[],
): number {
  let errors = 0;
  let labels = 0;
  checkList('found', found);
  for (const [row, target] of checkList('wanted', wanted).entries()) {
    checkList(`wanted[${row}]`, target);
    let costs = Array.from({ length: target.length + 1 }, (_, k) => k);
    const guess = found[row] === undefined ? [] : checkList(`found[${row}]`, found[row]);
    for (const [i, label] of guess.entries()) {
      const before = costs;
      costs = [i + 1];
      for (const [k, right] of target.entries()) {
        const replaced = before[k]! + Number(label !== right);
        costs.push(Math.min(replaced, before[k + 1]! + 1, costs[k]! + 1));
      }
    }
    errors += costs.at(-1)!;
    labels += target.length;
  }
  return errors / Math.max(1, labels);
}
