import { Model } from '../src/hosts/default.ts';
import type { Engine, LayerSpec } from '../src/hosts/default.ts';
import type { Task } from './tasks/task.ts';

export const CELLS = ['elman', 'lstm', 'peephole', 'gru'] as const;
export type Cell = (typeof CELLS)[number];

export const CELL_TITLES: Readonly<Record<Cell, string>> = {
  elman: 'Elman (tanh)',
  lstm: 'LSTM',
  peephole: 'LSTM with peepholes',
  gru: 'GRU',
};

const GATES: Readonly<Record<Cell, number>> = { elman: 1, lstm: 4, peephole: 4, gru: 3 };
/**
 * Gates by their place in PyTorch's order, and the sign with which they start: keeping the old
 * state, and letting in little of the new.
 */
const LSTM_START = [
  [0, -1],
  [1, 1],
] as const;
const GATE_START: Readonly<Record<Cell, readonly (readonly [gate: number, sign: number])[]>> = {
  elman: [],
  lstm: LSTM_START,
  peephole: LSTM_START,
  gru: [[1, 1]],
};

/**
 * Parameters of a net of so many units: weights, both biases, peepholes, and the linear layer
 * behind.
 */
function parameters(cell: Cell, hidden: number, inputs: number, outputs: number): number {
  const peepholes = cell === 'peephole' ? 3 * hidden : 0;
  return GATES[cell] * hidden * (inputs + hidden + 2) + peepholes + outputs * hidden + outputs;
}

/** The units with which a cell comes closest to the parameters of the task's LSTM. */
export function hiddenOf(cell: Cell, { inputs, outputs, settings }: Task): number {
  const wanted = parameters('lstm', settings.hidden, inputs, outputs);
  const away = (hidden: number): number =>
    Math.abs(parameters(cell, hidden, inputs, outputs) - wanted);
  let hidden = 1;
  while (away(hidden + 1) < away(hidden)) hidden++;
  return hidden;
}

export function parametersOf(cell: Cell, task: Task): number {
  return parameters(cell, hiddenOf(cell, task), task.inputs, task.outputs);
}

/**
 * A fresh net of a task: Keras' start (Glorot, orthogonal, zero biases), and the gate that keeps
 * the state open by `remember`.
 */
export function createModel(engine: Engine, task: Task, cell: Cell, seed: number): Model {
  const sizes = { inputSize: task.inputs, hiddenSize: hiddenOf(cell, task), name: 'cell' };
  const recurrent: LayerSpec =
    cell === 'elman'
      ? { type: 'rnn', ...sizes }
      : cell === 'gru'
        ? { type: 'gru', ...sizes }
        : { type: 'lstm', ...sizes, ...(cell === 'peephole' ? { peephole: 'diagonal' } : {}) };
  const layers: LayerSpec[] = [
    recurrent,
    ...(task.once ? [{ type: 'pool', mode: 'last' } as const] : []),
    { type: 'linear', outFeatures: task.outputs },
  ];
  const model = Model.create(engine, { layers }, { init: 'keras', seed });
  const tensors = model.stateDict();
  const bias = tensors.get('cell.bias_ih_l0')!.data;
  for (const [gate, sign] of GATE_START[cell]) {
    const from = gate * sizes.hiddenSize;
    bias.fill(sign * task.settings.remember, from, from + sizes.hiddenSize);
  }
  model.loadStateDict(tensors);
  return model;
}
