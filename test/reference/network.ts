/**
 * A whole model in float64: the same description, parameter names and shapes as the product, none of its code.
 */
import type { LayerSpec, ModelDescription } from '../../src/types.ts';
import type { Cell, CellWeights } from './cell.ts';
import { embeddingBackward, embeddingForward, linearBackward, linearForward } from './dense.ts';
import { gruCell } from './gru.ts';
import { lstmCell } from './lstm.ts';
import type { Vec } from './math.ts';
import { poolBackward, poolForward, type PoolMode } from './pool.ts';
import { rnnCell } from './rnn.ts';
import {
  stackBackward,
  stackForward,
  type Dims,
  type StackState,
  type StackTape,
} from './stack.ts';

/** Parameters or gradients by name. */
export type Parameters = Map<string, { readonly shape: readonly number[]; readonly data: Vec }>;
/** States by layer name; `c` is empty for a cell without. */
export type State = Record<string, StackState>;

type RecurrentSpec = Exclude<Extract<LayerSpec, { hiddenSize: number }>, { type: 'indrnn' }>;
// The tape's type differs from cell to cell and is only ever handed back to the cell it came from.
type AnyCell = Cell<unknown>;

interface RecurrentLayer {
  readonly kind: 'recurrent';
  readonly name: string;
  readonly cell: AnyCell;
  readonly spec: RecurrentSpec;
  readonly inputSize: number;
}

type Layer =
  | RecurrentLayer
  | {
      readonly kind: 'linear';
      readonly name: string;
      readonly inputSize: number;
      readonly outputSize: number;
      readonly bias: boolean;
      /** Whose parameter its weight is: its own or an embedding's. */
      readonly weight: string;
    }
  | {
      readonly kind: 'embedding';
      readonly name: string;
      readonly count: number;
      readonly outputSize: number;
    }
  | {
      readonly kind: 'pool';
      readonly name: string;
      readonly mode: PoolMode;
      readonly inputSize: number;
      readonly outputSize: number;
    };

export interface Tape {
  readonly dims: Dims;
  readonly input: ArrayLike<number>;
  /** Input of each layer, and what its backward wants besides. */
  readonly layers: { readonly x: Vec; readonly stack?: StackTape<unknown> }[];
}

function cellOf(spec: RecurrentSpec): AnyCell {
  if (spec.type === 'rnn') return rnnCell(spec.nonlinearity) as AnyCell;
  if (spec.type === 'gru') return gruCell(spec.resetAfter) as AnyCell;
  return lstmCell(spec) as AnyCell;
}

/** The layers with names and sizes filled in. */
export function layersOf(description: ModelDescription): Layer[] {
  const seen = new Map<string, number>();
  let [width, firstRows] = [0, 0];
  return description.layers.map((spec) => {
    const nth = (seen.get(spec.type) ?? 0) + 1;
    seen.set(spec.type, nth);
    const name = spec.name ?? (nth === 1 ? spec.type : `${spec.type}${nth}`);
    if (spec.type === 'embedding') {
      width = spec.embeddingDim;
      firstRows = spec.numEmbeddings;
      return {
        kind: 'embedding',
        name,
        count: spec.numEmbeddings,
        outputSize: width,
      };
    }
    if (spec.type === 'linear') {
      const inputSize = spec.inFeatures ?? width;
      width = 'tied' in spec ? firstRows : spec.outFeatures;
      return {
        kind: 'linear',
        name,
        inputSize,
        outputSize: width,
        bias: spec.bias ?? true,
        weight: 'tied' in spec ? spec.tied : name,
      };
    }
    if (spec.type === 'pool')
      return { kind: 'pool', name, mode: spec.mode, inputSize: width, outputSize: width };
    const inputSize = spec.inputSize ?? width;
    width = spec.hiddenSize;
    if (spec.type === 'indrnn') throw new Error('the reference has no independent units yet');
    return { kind: 'recurrent', name, cell: cellOf(spec), spec, inputSize };
  });
}

/** Every parameter of a model, in the order of its layers. */
export function parameterShapes(description: ModelDescription): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const layer of layersOf(description)) {
    if (layer.kind === 'embedding') {
      shapes.set(`${layer.name}.weight`, [layer.count, layer.outputSize]);
    } else if (layer.kind === 'pool') {
      continue;
    } else if (layer.kind === 'linear') {
      if (layer.weight === layer.name)
        shapes.set(`${layer.name}.weight`, [layer.outputSize, layer.inputSize]);
      if (layer.bias) shapes.set(`${layer.name}.bias`, [layer.outputSize]);
    } else {
      const { name, cell, spec, inputSize } = layer;
      const size = spec.hiddenSize;
      for (let k = 0; k < (spec.numLayers ?? 1); k++) {
        shapes.set(`${name}.weight_ih_l${k}`, [cell.gates * size, k === 0 ? inputSize : size]);
        shapes.set(`${name}.weight_hh_l${k}`, [cell.gates * size, size]);
        if (spec.bias ?? true) {
          shapes.set(`${name}.bias_ih_l${k}`, [cell.gates * size]);
          shapes.set(`${name}.bias_hh_l${k}`, [cell.gates * size]);
        }
        if (cell.peepholes) shapes.set(`${name}.weight_peephole_l${k}`, [cell.peepholes, size]);
      }
    }
  }
  return shapes;
}

export function zerosLike(parameters: Parameters): Parameters {
  return new Map(
    [...parameters].map(([name, { shape, data }]) => [
      name,
      { shape, data: new Float64Array(data.length) },
    ]),
  );
}

/** The zero state of a batch. */
export function zeroState(description: ModelDescription, batch: number): State {
  const state: State = {};
  for (const layer of layersOf(description)) {
    if (layer.kind !== 'recurrent') continue;
    const size = (layer.spec.numLayers ?? 1) * batch * layer.spec.hiddenSize;
    state[layer.name] = {
      h: new Float64Array(size),
      c: new Float64Array(layer.cell.hasCellState ? size : 0),
    };
  }
  return state;
}

function stackWeights({ name, spec }: RecurrentLayer, parameters: Parameters): CellWeights[] {
  return Array.from({ length: spec.numLayers ?? 1 }, (_, k) => ({
    input: parameters.get(`${name}.weight_ih_l${k}`)!.data,
    recurrent: parameters.get(`${name}.weight_hh_l${k}`)!.data,
    biasInput: parameters.get(`${name}.bias_ih_l${k}`)?.data,
    biasRecurrent: parameters.get(`${name}.bias_hh_l${k}`)?.data,
    peephole: parameters.get(`${name}.weight_peephole_l${k}`)?.data,
  }));
}

function linearWeights(
  { name, weight }: { name: string; weight: string },
  parameters: Parameters,
): { weight: Vec; bias?: Vec } {
  return {
    weight: parameters.get(`${weight}.weight`)!.data,
    bias: parameters.get(`${name}.bias`)?.data,
  };
}

/** input: features [T, B, I], or tokens [T, B] when the first layer is an embedding. */
export function forward(
  description: ModelDescription,
  parameters: Parameters,
  input: ArrayLike<number>,
  dims: Dims,
  initial: State,
): { output: Vec; state: State; tape: Tape } {
  let rows = dims.steps * dims.batch;
  const state: State = {};
  const tapes: Tape['layers'] = [];
  let x: Vec = Float64Array.from(input);
  for (const layer of layersOf(description)) {
    const { name } = layer;
    if (layer.kind === 'embedding') {
      tapes.push({ x });
      x = embeddingForward(parameters.get(`${name}.weight`)!.data, input, layer.outputSize);
    } else if (layer.kind === 'pool') {
      tapes.push({ x });
      x = poolForward(layer.mode, x, dims);
      rows = dims.batch;
    } else if (layer.kind === 'linear') {
      tapes.push({ x });
      x = linearForward(linearWeights(layer, parameters), x, rows, layer.outputSize);
    } else {
      const weights = stackWeights(layer, parameters);
      const size = layer.spec.hiddenSize;
      const result = stackForward(layer.cell, weights, size, dims, x, initial[name]!);
      tapes.push({ x, stack: result.tape });
      state[name] = result.final;
      x = result.output;
    }
  }
  return { output: x, state, tape: { dims, input, layers: tapes } };
}

/** From dL/d(output) and dL/d(final states); `input` is absent for tokens. */
export function backward(
  description: ModelDescription,
  parameters: Parameters,
  tape: Tape,
  doutput: Vec,
  dfinal: State,
): { gradients: Parameters; input?: Vec; state: State } {
  const gradients = zerosLike(parameters);
  const state: State = {};
  let dy: Vec | undefined = doutput;
  const layers = layersOf(description);
  for (let k = layers.length - 1; k >= 0; k--) {
    const layer = layers[k]!;
    const { name } = layer;
    const { x, stack } = tape.layers[k]!;
    if (layer.kind === 'embedding') {
      embeddingBackward(gradients.get(`${name}.weight`)!.data, tape.input, dy!, layer.outputSize);
      dy = undefined;
    } else if (layer.kind === 'pool') {
      dy = poolBackward(layer.mode, x, dy!, tape.dims);
    } else if (layer.kind === 'linear') {
      const rows = dy!.length / layer.outputSize;
      dy = linearBackward(
        linearWeights(layer, parameters),
        linearWeights(layer, gradients),
        x,
        dy!,
        rows,
      );
    } else {
      const result: { dx: Vec; dinitial: StackState } = stackBackward(
        layer.cell,
        stackWeights(layer, parameters),
        stackWeights(layer, gradients),
        layer.spec.hiddenSize,
        tape.dims,
        stack!,
        dy!,
        dfinal[name]!,
      );
      dy = result.dx;
      state[name] = result.dinitial;
    }
  }
  return { gradients, input: dy, state };
}
