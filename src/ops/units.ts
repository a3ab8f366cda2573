import {
  CELL_INDEPENDENT,
  CELL_LSTM,
  MERGE_AVE,
  MERGE_CONCAT,
  MERGE_MUL,
  MERGE_SUM,
  OPERAND_CELL,
  POOL_FIRST,
  POOL_LAST,
  POOL_MAX,
  POOL_MEAN,
} from '../../assembly/shared/codes.ts';
import { cellForm } from './recurrent/cell.ts';
import type { CellForm, CellOptions } from './recurrent/form.ts';
import { roundUp } from '../base/check.ts';
import { outputSizeOf } from './description.ts';
import type { CompleteLayer } from './description.ts';
import { int8Length, plainPanels } from '../engine/panels.ts';
import type { Panels } from '../engine/panels.ts';
import { scaleName } from '../engine/int8.ts';

/** One trainable array. */
export interface Parameter {
  readonly name: string;
  /** Its shape outside of the engine, PyTorch's. */
  readonly shape: readonly number[];
  /**
   * Where it starts in the flat vector of all parameters, in elements, and how many it takes there
   * with its padding.
   */
  readonly offset: number;
  readonly length: number;
  /** Matrices and gate vectors lie in panels; a table or a peephole in rows of `row` numbers. */
  readonly form: { readonly panels: Panels } | { readonly int8: Panels } | { readonly row: number };
  /** What initialisers ask for: the role, and the gates of a recurrent parameter. */
  readonly role: Role;
  readonly unit: Unit;
}

/** A tensor as a file keeps it. */
export interface SavedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly int8: boolean;
}

/** What a file keeps of parameters: those of 8 bits with their scales. */
export function savedTensors(parameters: readonly Parameter[]): SavedTensor[] {
  return parameters.flatMap(({ name, shape, form }): SavedTensor[] => {
    const int8 = 'int8' in form;
    const scales = { name: scaleName(name), shape: [shape[0]!], int8: false };
    return [{ name, shape, int8 }, ...(int8 ? [scales] : [])];
  });
}

export type Role =
  | 'input'
  | 'recurrent'
  | 'biasInput'
  | 'biasHidden'
  | 'peephole'
  | 'table'
  | 'projection'
  | 'normInput'
  | 'normHidden'
  | 'normCell';

interface UnitBase {
  readonly name: string;
  /**
   * The unit whose outputs this one reads; -1 for the inputs of the model. Of a merge the forward
   * one, the other follows it.
   */
  readonly source: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Numbers from one row of the output to the next. */
  readonly outputRow: number;
}

export interface RecurrentUnit extends UnitBase {
  readonly kind: 'recurrent';
  /** The layer of the description, and where this unit's states stand in those of the layer. */
  readonly layer: string;
  readonly place: number;
  /** What its parameters' names end in: `_l0`, `_l0_reverse`. */
  readonly suffix: string;
  /**
   * Whether it reads its inputs from the end, and whether another unit reads them the other way.
   */
  readonly reverse: boolean;
  readonly paired: boolean;
  readonly form: CellForm;
  readonly hidden: number;
  readonly padded: number;
  /** Rows of R. */
  readonly depth: number;
  /** Columns of the gates, N. */
  readonly columns: number;
  /** Numbers from one row of the gates to the next. */
  readonly gateRow: number;
  readonly bias: boolean;
}

export interface LinearUnit extends UnitBase {
  readonly kind: 'linear';
  readonly bias: boolean;
  /** Whose table is its weight, turned around. */
  readonly tied: EmbeddingUnit | undefined;
}

export interface EmbeddingUnit extends UnitBase {
  readonly kind: 'embedding';
  readonly tokens: number;
}

/**
 * Lets each number through with probability 1 - rate, grown by as much, in training; elsewhere all
 * as they are.
 */
export interface DropoutUnit extends UnitBase {
  readonly kind: 'dropout';
  readonly rate: number;
  /** Whether all steps of a row share a mask. */
  readonly fixed: boolean;
}

/** Makes the outputs of two directions one. */
export interface MergeUnit extends UnitBase {
  readonly kind: 'merge';
  readonly mode: number;
}

/** Makes the steps of a sequence one row. */
export interface PoolUnit extends UnitBase {
  readonly kind: 'pool';
  readonly mode: number;
}

/**
 * What one kernel call works on: a layer, one direction of a sub-layer of a recurrent stack, or the
 * merge of two.
 */
export type Unit = RecurrentUnit | LinearUnit | EmbeddingUnit | MergeUnit | PoolUnit | DropoutUnit;

/** How many recurrent units each layer has, by its name. */
export function placesOf(units: readonly Unit[]): Map<string, number> {
  const places = new Map<string, number>();
  for (const unit of units) {
    if (unit.kind === 'recurrent') places.set(unit.layer, (places.get(unit.layer) ?? 0) + 1);
  }
  return places;
}

/**
 * Rows that are a multiple of 1 KiB apart fall into a few sets of a first-level cache, and a walk
 * down a column then evicts itself: such rows get a cache line more.
 */
function rowOf(width: number): number {
  return width % 256 === 0 ? width + 16 : width;
}

const MERGES = {
  concat: MERGE_CONCAT,
  sum: MERGE_SUM,
  mul: MERGE_MUL,
  mean: MERGE_AVE,
  ave: MERGE_AVE,
} as const;

export function unitsOf(layers: readonly CompleteLayer[]): Unit[] {
  const units: Unit[] = [];
  for (const layer of layers) {
    const source = units.length - 1;
    if (layer.type === 'embedding') {
      const { name, numEmbeddings: tokens, embeddingDim: outputs } = layer;
      const outputRow = roundUp(outputs, 4);
      units.push({ kind: 'embedding', name, source, inputs: 1, outputs, outputRow, tokens });
    } else if (layer.type === 'linear') {
      const { name, inFeatures: inputs, outFeatures: outputs, bias } = layer;
      const outputRow = roundUp(outputs, 4);
      const tied = 'tied' in layer ? (units[0] as EmbeddingUnit) : undefined;
      units.push({ kind: 'linear', name, source, inputs, outputs, outputRow, bias, tied });
    } else if (layer.type === 'pool') {
      addPool(units, layer);
    } else {
      for (let depth = 0; depth < layer.numLayers; depth++) addSubLayer(units, layer, depth);
    }
  }
  return units;
}

/**
 * Pools the last unit. The final outputs of two directions are at different ends: each is pooled,
 * and these are merged.
 */
function addPool(units: Unit[], { name, mode }: Extract<CompleteLayer, { type: 'pool' }>): void {
  const pool = (source: number, suffix = ''): void => {
    const unit = units[source]!;
    const last = unit.kind === 'recurrent' && unit.reverse ? POOL_FIRST : POOL_LAST;
    const modes = { last, mean: POOL_MEAN, max: POOL_MAX };
    const { outputs } = unit;
    units.push({
      kind: 'pool',
      name: name + suffix,
      source,
      inputs: outputs,
      outputs,
      outputRow: roundUp(outputs, 4),
      mode: modes[mode],
    });
  };
  const top = units.at(-1)!;
  if (mode !== 'last' || top.kind !== 'merge') return pool(units.length - 1);
  units.pop();
  pool(top.source, '.0');
  pool(top.source + 1, '.1');
  units.push({ ...top, source: units.length - 2 });
}

type RecurrentLayer = Exclude<CompleteLayer, { type: 'embedding' | 'linear' | 'pool' }>;

/** One unit, or one for each direction and their merge. */
function addSubLayer(units: Unit[], layer: RecurrentLayer, depth: number): void {
  const { name, hiddenSize: hidden, bidirectional, bias } = layer;
  const inputs = depth === 0 ? layer.inputSize : outputSizeOf(layer);
  const addDropout = (rate: number | undefined, fixed: boolean): void => {
    if (!rate) return;
    const source = units.length - 1;
    const outputRow = roundUp(inputs, 4);
    const unit = { name: `${name}.dropout`, source, inputs, outputs: inputs, outputRow } as const;
    units.push({ kind: 'dropout', ...unit, rate, fixed });
  };
  if (depth > 0) addDropout(layer.dropout, false);
  addDropout(layer.inputDropout, true);
  const source = units.length - 1;
  const direction = (place: number, reverse: boolean): RecurrentUnit => {
    const form = cellForm(layer, reverse);
    const padded = roundUp(hidden, form.unit);
    const outputs = form.options?.projected || hidden;
    return {
      kind: 'recurrent',
      name: `${name}.${place}`,
      source,
      layer: name,
      place,
      suffix: `_l${depth}${reverse && bidirectional ? '_reverse' : ''}`,
      reverse,
      paired: bidirectional,
      form,
      inputs,
      outputs,
      outputRow: rowOf(padded),
      hidden,
      padded,
      depth: form.operand === OPERAND_CELL ? hidden : outputs,
      columns: form.gates.length * padded,
      gateRow: rowOf(form.gates.length * padded),
      bias,
    };
  };
  if (!bidirectional) {
    units.push(direction(depth, layer.direction === 'backward'));
    return;
  }
  const outputs = outputSizeOf(layer);
  const merge = { kind: 'merge', name: `${name}.${depth}`, mode: MERGES[layer.merge] } as const;
  const outputRow = roundUp(outputs, 4);
  const both = [direction(2 * depth, false), direction(2 * depth + 1, true)] as const;
  const { outputs: width } = both[0];
  units.push(...both, { ...merge, source: source + 1, inputs: width, outputs, outputRow });
}

/**
 * All parameters of the units, one after the other in one flat vector, each on a cache line of its
 * own; with `int8` all matrices in 8 bits.
 */
export function parametersOf(
  units: readonly Unit[],
  int8: boolean,
): { parameters: Parameter[]; length: number } {
  const parameters: Parameter[] = [];
  let offset = 0;
  const add: Add = (unit, name, role, shape, plain, plainLength) => {
    const isMatrix = (role === 'input' || role === 'recurrent') && shape.length === 2;
    const isInt8 = int8 && isMatrix && 'panels' in plain;
    const form = isInt8 ? { int8: plain.panels } : plain;
    const length = isInt8 ? int8Length(plain.panels) : plainLength;
    parameters.push({ name, shape, offset, length, form, role, unit });
    offset += roundUp(length, 16);
  };
  for (const unit of units) {
    if (unit.kind === 'embedding') {
      const shape = [unit.tokens, unit.outputs];
      add(
        unit,
        `${unit.name}.weight`,
        'table',
        shape,
        { row: unit.outputRow },
        unit.tokens * unit.outputRow,
      );
    } else if (unit.kind === 'linear') {
      const panels = (depth: number): Panels => plainPanels(unit.outputs, unit.outputRow, depth);
      const columns = roundUp(unit.outputs, 16);
      if (!unit.tied) {
        const shape = [unit.outputs, unit.inputs];
        const form = { panels: panels(unit.inputs) };
        add(unit, `${unit.name}.weight`, 'input', shape, form, columns * unit.inputs);
      }
      if (unit.bias)
        add(unit, `${unit.name}.bias`, 'biasInput', [unit.outputs], { panels: panels(1) }, columns);
    } else if (unit.kind === 'recurrent') {
      addRecurrent(unit, add);
    }
  }
  return { parameters, length: offset };
}

function addRecurrent(unit: RecurrentUnit, add: Add): void {
  const { form, hidden, padded, columns, depth } = unit;
  const gates = form.gates.length;
  const panels = (depth: number): Parameter['form'] => ({
    panels: { cell: form.code, gates, hidden, padded, depth, vectors: form.panelVectors },
  });
  const name = (kind: string): string => `${unit.layer}.${kind}${unit.suffix}`;
  add(
    unit,
    name('weight_ih'),
    'input',
    [gates * hidden, unit.inputs],
    panels(unit.inputs),
    columns * unit.inputs,
  );
  const isVector = form.options?.kind === CELL_INDEPENDENT;
  add(
    unit,
    name('weight_hh'),
    'recurrent',
    isVector ? [hidden] : [gates * hidden, depth],
    panels(isVector ? 1 : depth),
    columns * (isVector ? 1 : depth),
  );
  if (unit.bias) {
    add(unit, name('bias_ih'), 'biasInput', [gates * hidden], panels(1), columns);
    add(unit, name('bias_hh'), 'biasHidden', [gates * hidden], panels(1), columns);
  }
  const seeing = form.peepholes.length;
  if (seeing)
    add(
      unit,
      name('weight_peephole'),
      'peephole',
      [seeing, hidden],
      { row: padded },
      seeing * padded,
    );
  if (form.options) addOptions(unit, form.options, add, name);
}

type Add = (
  unit: Unit,
  name: string,
  role: Role,
  shape: number[],
  form: Parameter['form'],
  length: number,
) => void;

function addOptions(
  unit: RecurrentUnit,
  { projected, layerNorm, kind }: CellOptions,
  add: Add,
  name: (kind: string) => string,
): void {
  const { form, hidden, padded, columns } = unit;
  if (projected) {
    const panels = plainPanels(projected, projected, hidden);
    const length = roundUp(projected, 16) * hidden;
    add(unit, name('weight_hr'), 'projection', [projected, hidden], { panels }, length);
  }
  if (!layerNorm) return;
  const gates = form.gates.length;
  const { code: cell, panelVectors: vectors } = form;
  const panels: Panels = { cell, gates, hidden, padded, depth: 1, vectors };
  add(unit, name('layer_norm_ih'), 'normInput', [gates * hidden], { panels }, columns);
  add(unit, name('layer_norm_hh'), 'normHidden', [gates * hidden], { panels }, columns);
  if (kind !== CELL_LSTM) return;
  add(unit, name('layer_norm_c'), 'normCell', [2, hidden], { row: padded }, 2 * padded);
}

/**
 * Numbers that a parameter derives for the kernels: sums of biases now, transposes for the backward
 * pass.
 */
export function derivedLength(unit: Unit): {
  readonly bias: number;
  /** The weight of a tied layer in panels. */
  readonly w: number;
  readonly wTransposed: number;
  readonly rTransposed: number;
} {
  const none = { bias: 0, w: 0, wTransposed: 0, rTransposed: 0 };
  if (unit.kind === 'linear') {
    const wTransposed = unit.outputRow * roundUp(unit.inputs, 16);
    return { ...none, w: unit.tied ? roundUp(unit.outputs, 16) * unit.inputs : 0, wTransposed };
  }
  if (unit.kind !== 'recurrent') return none;
  const isVector = unit.form.options?.kind === CELL_INDEPENDENT;
  return {
    ...none,
    bias: unit.bias && !unit.form.biasApart ? unit.columns : 0,
    wTransposed: unit.columns * roundUp(unit.inputs, 16),
    rTransposed: isVector ? 0 : unit.columns * roundUp(unit.padded, 16),
  };
}
