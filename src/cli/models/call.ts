import { hasNamed } from '../../base/check.ts';
import type { ModelState } from '../../base/tensor.ts';
import type { Model, ModelInput } from '../../model/model.ts';
import { fail } from '../failure.ts';
import { ONLY_INPUT, ONLY_OUTPUT } from './arrays.ts';
import type { NumberArray } from './files.ts';

type Arrays = ReadonlyMap<string, NumberArray>;

/** An input of a model as a call of it takes it. */
interface Fitted {
  readonly batch: number;
  /** 1 where it has one row a sequence. */
  readonly steps: number;
  readonly data: Float32Array | Int32Array;
  /** Whether it came in the shape that the file has for it. */
  readonly isWhole?: boolean;
}

/** The shape of an input or output in the file, where a step is a call of a program. */
function shapeOf({ metadata }: Model, name: string): readonly number[] | undefined {
  const { program, shapes } = metadata as {
    program?: string;
    shapes?: Readonly<Record<string, readonly number[]>>;
  };
  const shape = program !== undefined && hasNamed(shapes, name) ? shapes![name] : undefined;
  return Array.isArray(shape) ? shape : undefined;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((all, size) => all * size, 1);

/**
 * Runs a model over arrays by the names of its inputs: [B, T, features], [B, T] tokens, or the same
 * without B for one sequence; [B, features] of an input with one row a sequence. Also `lengths`
 * [B], and `h0` and `c0` [L, B, H] of the only recurrent layer, or `NAME.h0` of one by its name.
 */
export function callModel(model: Model, arrays: Arrays): Map<string, NumberArray> {
  const { inputs, outputs } = model;
  const used = new Set<string>();
  const fitted = inputs.map((input): Fitted => {
    const name = arrays.has(input.name) || inputs.length > 1 ? input.name : ONLY_INPUT;
    used.add(name);
    const given = arrays.get(name);
    return given
      ? fit(model, input, name, given)
      : fail(`the inputs have no "${name}"; the model takes ${takes(model)}`);
  });
  const [{ batch }] = fitted as [Fitted];
  const steps = stepsOf(model, fitted);
  const lengths = arrays.get('lengths');
  if (lengths) used.add('lengths');
  const state = stateOf(model, arrays, used);
  const unknown = [...arrays.keys()].filter((name) => !used.has(name));
  if (unknown.length > 0) {
    fail(`the model takes ${takes(model)}, lengths, h0 and c0, and no "${unknown[0]}"`);
  }
  const x = Object.fromEntries(inputs.map(({ name }, k) => [name, fitted[k]!.data]));
  const { outputs: results } = model.forward(x, {
    batch,
    steps,
    batchFirst: true,
    ...(lengths && { lengths: Array.from(lengths.data) as never }),
    ...(state && { state }),
  });
  const isWhole = inputs.some(({ name }, k) => fitted[k]!.isWhole && shapeOf(model, name));
  return new Map(
    outputs.map(({ name, size, pooled }) => {
      const data = results[name]!;
      const rows = data.length / (batch * size);
      const own = isWhole ? shapeOf(model, name) : undefined;
      const plain = pooled ? [batch, size] : [batch, rows, size];
      const shape = own ? [...(rows > 1 ? [rows] : []), ...own] : plain;
      return [outputs.length > 1 ? name : ONLY_OUTPUT, { shape, data }];
    }),
  );
}

/** What a model takes, in words. */
function takes({ inputs }: Model): string {
  return inputs
    .map(({ name, size, takesTokens, each }) => {
      const own = inputs.length > 1 ? name : `${ONLY_INPUT} (or ${name})`;
      const rows = each === 'sequence' ? '[B' : '[B, T';
      return `${own} ${rows}${takesTokens ? ']' : `, ${size}]`}`;
    })
    .join(', ');
}

function fit(model: Model, input: ModelInput, name: string, given: NumberArray): Fitted {
  const { size, takesTokens, each } = input;
  let { shape } = given;
  const own = shapeOf(model, input.name);
  if (own && shape.slice(-own.length).join() === own.join() && shape.length <= own.length + 1) {
    const steps = shape.length > own.length ? shape[0]! : 1;
    return { batch: 1, steps, data: Float32Array.from(given.data), isWhole: true };
  }
  // Features of size 1 may go without an axis of their own, and one sequence without that of B.
  if (!takesTokens && shape.at(-1) !== size && size === 1) shape = [...shape, 1];
  if (takesTokens) shape = [...shape, 1];
  const rank = each === 'sequence' ? 2 : 3;
  const isOneStep = rank === 3 && shape.length === 2 && model.description.steps === 1;
  if (isOneStep) shape = [shape[0]!, 1, shape[1]!];
  while (shape.length < rank) shape = [1, ...shape];
  const [batch, steps] = shape as [number, number];
  const width = takesTokens ? 1 : size;
  if (shape.length !== rank || shape.at(-1) !== width || sizeOf(shape) !== given.data.length) {
    return fail(
      `"${name}" has the shape [${given.shape.join(', ')}]; the model takes ${takes(model)}`,
    );
  }
  const data = takesTokens ? Int32Array.from(given.data) : Float32Array.from(given.data);
  return { batch, steps: rank === 2 ? 1 : steps, data };
}

/** Steps of all inputs, or by name where some have steps of their own. */
function stepsOf(
  model: Model,
  fitted: readonly Fitted[],
): number | Readonly<Record<string, number>> {
  const { inputs, description } = model;
  const own = (description.inputs ?? []).filter(
    (input) => typeof input === 'object' && input.stepsOf === input.name,
  );
  const named = inputs.map(({ name }, k) => [name, fitted[k]!.steps] as const);
  if (own.length === 0) {
    const first = inputs.findIndex(({ each }) => each === 'step');
    return fitted[Math.max(first, 0)]!.steps;
  }
  const names = new Set(own.map((input) => (typeof input === 'object' ? input.name : input)));
  names.add(inputs.find(({ each }) => each === 'step')!.name);
  return Object.fromEntries(named.filter(([name]) => names.has(name)));
}

/** Initial states by layer; none where no array is one. */
function stateOf(model: Model, arrays: Arrays, used: Set<string>): ModelState | undefined {
  const layers = model.description.layers.filter((layer) => hasNamed(layer, 'hiddenSize'));
  const state: Record<string, { h: Float32Array; c?: Float32Array }> = {};
  for (const { name } of layers) {
    for (const role of ['h', 'c'] as const) {
      const short = layers.length === 1 && arrays.has(`${role}0`);
      const key = short ? `${role}0` : `${name}.${role}0`;
      const given = arrays.get(key);
      if (!given) continue;
      used.add(key);
      const own = (state[name] ??= {} as { h: Float32Array });
      own[role] = Float32Array.from(given.data);
    }
  }
  return Object.keys(state).length > 0 ? state : undefined;
}
