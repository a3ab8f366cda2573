/** Where the tensors that steps make lie: what no step reads any more makes room for others. */
import { roundUp } from '../../base/check.ts';
import type { CompleteProgram, ProgramPlace, ProgramStep } from './spec.ts';

interface Gap {
  from: number;
  to: number;
}

const placesOf = ({ to, a, b, from = [], last = [] }: ProgramStep): ProgramPlace[] =>
  [to, a, b, ...from, ...last].filter((place) => place !== undefined && place !== null);

/** Elements that a tensor takes: kernels may write a vector more than there is. */
const roomOf = (size: number): number => roundUp(size, 16) + 16;

/** First-fit memory whose gaps close. */
class Memory {
  readonly #gaps: Gap[] = [];
  length = 0;

  take(room: number): number {
    const k = this.#gaps.findIndex(({ from, to }) => to - from >= room);
    if (k >= 0) {
      const gap = this.#gaps[k]!;
      const { from } = gap;
      gap.from += room;
      if (gap.from === gap.to) this.#gaps.splice(k, 1);
      return from;
    }
    const end = this.#gaps.at(-1);
    const from = end?.to === this.length ? end.from : this.length;
    if (from < this.length) this.#gaps.pop();
    this.length = from + room;
    return from;
  }

  give(from: number, room: number): void {
    let k = this.#gaps.findIndex((gap) => gap.from > from);
    if (k < 0) k = this.#gaps.length;
    const [before, after] = [this.#gaps[k - 1], this.#gaps[k]];
    const to = from + room;
    if (before?.to === from) {
      before.to = to;
      if (after?.from === to) {
        before.to = after.to;
        this.#gaps.splice(k, 1);
      }
    } else if (after?.from === to) after.from = from;
    else this.#gaps.splice(k, 0, { from, to });
  }
}

/** The first element of every tensor that steps make, and how many elements all take. */
export function lifetimes(program: CompleteProgram): {
  readonly offsets: readonly number[];
  readonly length: number;
} {
  const { inputSizes, carries, constants, tensors, steps, outputs } = program;
  const first = inputSizes.length + carries.length + constants.length;
  const ends = new Map<number, number>();
  for (const [k, step] of steps.entries()) {
    for (const [tensor] of placesOf(step)) ends.set(tensor, k);
  }
  for (const { from } of [...carries, ...outputs]) ends.set(from[0], steps.length);
  const memory = new Memory();
  const offsets = tensors.map(() => 0);
  const isThere = new Set<number>();
  for (const [k, step] of steps.entries()) {
    const own = new Set(placesOf(step).map(([tensor]) => tensor));
    for (const tensor of own) {
      if (tensor < first || isThere.has(tensor)) continue;
      isThere.add(tensor);
      offsets[tensor - first] = memory.take(roomOf(tensors[tensor - first]!));
    }
    for (const tensor of own) {
      if (tensor < first || ends.get(tensor) !== k) continue;
      memory.give(offsets[tensor - first]!, roomOf(tensors[tensor - first]!));
    }
  }
  return { offsets, length: memory.length };
}
