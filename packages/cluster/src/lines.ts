/** Results as lines of JSON, those that `gatefold score` writes. */

import type { ModelOutput } from 'gatefold/node';
import type { Scored } from './scorer.ts';

/** A float32 in as few digits as tell it from its neighbours; nine do for any. */
function shown(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(9)));
}

const listOf = (values: Float32Array): string => `[${Array.from(values, shown).join()}]`;

function stepsOf(values: Float32Array, width: number): string {
  const steps = Array.from({ length: values.length / width }, (_, step) =>
    listOf(values.subarray(step * width, (step + 1) * width)),
  );
  return `[${steps.join()}]`;
}

/** A line of a record that has results. */
export function lineOf({ id, outputs }: Scored, model: readonly ModelOutput[]): string {
  const fields = model.map(({ name, size, pooled }) => {
    const values = outputs![name]!;
    const key = model.length === 1 ? 'y' : name;
    return `${JSON.stringify(key)}:${pooled ? listOf(values) : stepsOf(values, size)}`;
  });
  return `{${[...(id === undefined ? [] : [`"id":${id}`]), ...fields].join()}}\n`;
}
