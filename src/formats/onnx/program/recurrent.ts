/** RNN, LSTM and GRU: one step of the program for each direction. */
import { constantAt, isZeros } from '../call.ts';
import { numbersOf } from '../constants.ts';
import type { Constant } from '../constants.ts';
import type { Node } from '../node.ts';
import { activationsOf, parametersOf } from '../recurrent.ts';
import { toStateDict } from '../../shared/layouts.ts';
import type { ProgramStep } from '../../../ops/program/spec.ts';
import type { ProgramOperator } from './machine.ts';
import { cut, turned } from './tensor.ts';
import type { Tensor } from './tensor.ts';

const GATES = { RNN: 1, LSTM: 4, GRU: 3 } as const;
/** Activations of a direction. */
const CURVES = { RNN: 1, LSTM: 3, GRU: 2 } as const;

/** Sequences of a batch side by side that are equally long. */
interface Span {
  readonly from: number;
  readonly count: number;
  readonly steps: number;
}

/** Most spans of a batch: each is a step of the program. */
const MAX_SPANS = 64;

function spansOf(lengths: Constant, steps: number, batch: number, node: Node): Span[] {
  const list = numbersOf(lengths) ?? [];
  const fits = list.length === batch && list.every((n) => n >= 0 && n <= steps);
  if (!fits) node.refuse('its sequence_lens do not fit');
  const spans: Span[] = [];
  for (const [k, own] of list.entries()) {
    const last = spans.at(-1);
    if (last?.steps === own) spans[spans.length - 1] = { ...last, count: last.count + 1 };
    else spans.push({ from: k, count: 1, steps: own });
  }
  return spans.length > MAX_SPANS ? node.refuse('its sequence_lens differ too often') : spans;
}

export const recurrent: ProgramOperator = (call, machine) => {
  const { node, graph, inputs } = call;
  const type = node.type as keyof typeof GATES;
  const way = node.text('direction', 'forward').toLowerCase();
  if (!['forward', 'reverse', 'bidirectional'].includes(way)) {
    node.refuse(`its direction is "${way}"`);
  }
  const directions = way === 'bidirectional' ? 2 : 1;
  const isBatchFirst = node.int('layout', 0) === 1;
  const given = machine.tensorAt(call, 0);
  if (given.dims.length !== 3) node.refuse('its input has no three axes');
  const x = machine.plain(isBatchFirst ? turned(given, [1, 0, 2]) : given, node);
  const [steps, batch, inputSize] = x.dims as [number, number, number];
  const [W, R] = [constantAt(call, 1, 'its W')!, constantAt(call, 2, 'its R')!];
  const B = constantAt(call, 3, 'its B');
  const P = type === 'LSTM' ? constantAt(call, 7, 'its P') : undefined;
  const H = R.dims[2] ?? 0;
  const wide = GATES[type] * H;
  const fits = (data: { dims: readonly number[] } | undefined, ...shape: number[]): boolean =>
    !data || String(data.dims) === String(shape);
  if (
    !(H > 0) ||
    !fits(W, directions, wide, inputSize) ||
    !fits(R, directions, wide, H) ||
    !fits(B, directions, 2 * wide) ||
    !fits(P, directions, 3 * H)
  ) {
    node.refuse('its weights do not fit together');
  }
  const spans = inputs[4]
    ? spansOf(constantAt(call, 4, 'its sequence_lens')!, steps, batch, node)
    : [{ from: 0, count: batch, steps }];
  const inputForget = type === 'LSTM' && node.int('input_forget', 0) !== 0;
  const activations = activationsOf(node, type, directions);
  const clip = node.get('clip')?.float;
  const states = type === 'LSTM' ? 2 : 1;
  const begin = Array.from({ length: states }, (_, k): Tensor | null => {
    const value = inputs[5 + k];
    if (!value) return null;
    if (isZeros(value)) return null;
    const own = machine.tensorAt(call, 5 + k);
    const state = isBatchFirst ? turned(own, [1, 0, 2]) : own;
    if (String(state.dims) !== String([directions, batch, H])) {
      node.refuse('its initial state does not fit');
    }
    return machine.plain(state, node);
  });
  const Y = machine.make([steps, directions, batch, H], node);
  const ends = Array.from({ length: states }, () => machine.make([directions, batch, H], node));
  const isWhole = spans.length === 1 && spans[0]!.steps === steps;
  if (!isWhole) {
    // What lies behind the end of a sequence is 0; its last state is that of its last step.
    for (const tensor of [Y, ...ends]) machine.fill(tensor, 'copy', machine.number(0));
  }
  graph.take(spans.length * (W.data.length + R.data.length));
  for (let d = 0; d < directions; d++) {
    const isReverse = way === 'reverse' || d === 1;
    const own = activations?.slice(d * CURVES[type], (d + 1) * CURVES[type]);
    const layer = {
      type: type.toLowerCase(),
      inputSize,
      hiddenSize: H,
      ...(!B && { bias: false }),
      ...(isReverse && { direction: 'backward' }),
      ...(type === 'GRU' && !node.int('linear_before_reset', 0) && { resetAfter: false }),
      ...(inputForget && { inputForget }),
      ...(P && { peephole: 'diagonal' }),
      ...(own && { activations: own }),
      ...(clip !== undefined && clip > 0 && { clip }),
    } as NonNullable<ProgramStep['layer']>;
    const parameters = toStateDict('', parametersOf(call, type, d, inputForget), {});
    const named = new Map([...parameters].map(([role, tensor]) => [role.slice(1), tensor]));
    for (const { from, count, steps: valid } of spans) {
      if (valid === 0) continue;
      const rows = (tensor: Tensor, axis: number): Tensor => cut(tensor, axis, from, count);
      const part = (tensor: Tensor): Tensor => rows(cut(tensor, 0, d, 1), 1);
      const whole = rows(cut(cut(Y, 0, 0, valid), 1, d, 1), 2);
      const to = isWhole && directions === 1 ? Y : machine.make(whole.dims, node);
      const parts = ends.map(part);
      const last = isWhole ? parts : parts.map(({ dims }) => machine.make(dims, node));
      machine.add({
        op: 'recurrent',
        to,
        a: machine.plain(rows(cut(x, 0, 0, valid), 1), node),
        layer,
        steps: valid,
        batch: count,
        from: begin.map((state) => state && machine.plain(part(state), node)),
        last,
        parameters: named,
      });
      if (to !== Y) machine.fill(whole, 'copy', to);
      if (!isWhole) for (const [k, end] of last.entries()) machine.fill(parts[k]!, 'copy', end);
    }
  }
  const last = ends.map((end) => (isBatchFirst ? turned(end, [1, 0, 2]) : end));
  return [isBatchFirst ? turned(Y, [2, 0, 1, 3]) : Y, ...last].map((tensor) => ({ tensor }));
};
