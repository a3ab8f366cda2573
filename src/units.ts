import { CELL_NONE } from '../assembly/shared/codes.ts';
import { cellForm } from './cells/cell.ts';
import type { CellForm } from './cells/cell.ts';
import type { CompleteLayer } from './description.ts';

/** How the numbers of a parameter lie in the engine; see `assembly/pack.ts`. */
export interface Panels {
  readonly cell: number;
  readonly gates: number;
  readonly hidden: number;
  readonly padded: number;
  readonly depth: number;
  readonly vectors: number;
}

/** One trainable array. */
export interface Parameter {
  readonly name: string;
  /** Its shape outside of the engine, PyTorch's. */
  readonly shape: readonly number[];
  /** Where it starts in the flat vector of all parameters, in elements, and how many it takes there with its padding. */
  readonly offset: number;
  readonly length: number;
  /** Matrices and gate vectors lie in panels; a table or a peephole in rows of `row` numbers. */
  readonly form: { readonly panels: Panels } | { readonly row: number };
  /** What initialisers ask for: the role, and the gates of a recurrent parameter. */
  readonly role: 'input' | 'recurrent' | 'biasInput' | 'biasHidden' | 'peephole' | 'table';
  readonly unit: Unit;
}

interface UnitBase {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Numbers from one row of the output to the next. */
  readonly outputRow: number;
}

export interface RecurrentUnit extends UnitBase {
  readonly kind: 'recurrent';
  /** The layer of the description, and which of its sub-layers this is. */
  readonly layer: string;
  readonly depth: number;
  readonly form: CellForm;
  readonly hidden: number;
  readonly padded: number;
  /** Columns of the gates, N. */
  readonly columns: number;
  /** Numbers from one row of the gates to the next. */
  readonly gateRow: number;
  readonly bias: boolean;
}

export interface LinearUnit extends UnitBase {
  readonly kind: 'linear';
  readonly bias: boolean;
}

export interface EmbeddingUnit extends UnitBase {
  readonly kind: 'embedding';
  readonly tokens: number;
}

/** What one kernel call works on: a layer, or one sub-layer of a recurrent stack. */
export type Unit = RecurrentUnit | LinearUnit | EmbeddingUnit;

const roundUp = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;

/**
 * Rows that are a multiple of 1 KiB apart fall into a few sets of a first-level cache, and a walk down a column then evicts itself: such
 * rows get a cache line more.
 */
function rowOf(width: number): number {
  return width % 256 === 0 ? width + 16 : width;
}

export function unitsOf(layers: readonly CompleteLayer[]): Unit[] {
  return layers.flatMap((layer): Unit[] => {
    if (layer.type === 'embedding') {
      const { name, numEmbeddings: tokens, embeddingDim: outputs } = layer;
      return [
        { kind: 'embedding', name, inputs: 1, outputs, outputRow: roundUp(outputs, 4), tokens },
      ];
    }
    if (layer.type === 'linear') {
      const { name, inFeatures: inputs, outFeatures: outputs, bias } = layer;
      return [{ kind: 'linear', name, inputs, outputs, outputRow: roundUp(outputs, 4), bias }];
    }
    const form = cellForm(layer);
    const padded = roundUp(layer.hiddenSize, form.unit);
    return Array.from({ length: layer.numLayers }, (_, depth) => ({
      kind: 'recurrent',
      name: `${layer.name}.${depth}`,
      layer: layer.name,
      depth,
      form,
      inputs: depth === 0 ? layer.inputSize : layer.hiddenSize,
      outputs: layer.hiddenSize,
      outputRow: rowOf(padded),
      hidden: layer.hiddenSize,
      padded,
      columns: form.gates.length * padded,
      gateRow: rowOf(form.gates.length * padded),
      bias: layer.bias,
    }));
  });
}

/** All parameters of the units, one after the other in one flat vector, each on a cache line of its own. */
export function parametersOf(units: readonly Unit[]): { parameters: Parameter[]; length: number } {
  const parameters: Parameter[] = [];
  let offset = 0;
  const add = (
    unit: Unit,
    name: string,
    role: Parameter['role'],
    shape: number[],
    form: Parameter['form'],
    length: number,
  ): void => {
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
      add(
        unit,
        `${unit.name}.weight`,
        'input',
        [unit.outputs, unit.inputs],
        { panels: panels(unit.inputs) },
        columns * unit.inputs,
      );
      if (unit.bias)
        add(unit, `${unit.name}.bias`, 'biasInput', [unit.outputs], { panels: panels(1) }, columns);
    } else {
      addRecurrent(unit, add);
    }
  }
  return { parameters, length: offset };
}

function addRecurrent(
  unit: RecurrentUnit,
  add: (
    unit: Unit,
    name: string,
    role: Parameter['role'],
    shape: number[],
    form: Parameter['form'],
    length: number,
  ) => void,
): void {
  const { form, hidden, padded, columns } = unit;
  const gates = form.gates.length;
  const panels = (depth: number): Parameter['form'] => ({
    panels: { cell: form.code, gates, hidden, padded, depth, vectors: form.panelVectors },
  });
  const name = (kind: string): string => `${unit.layer}.${kind}_l${unit.depth}`;
  add(
    unit,
    name('weight_ih'),
    'input',
    [gates * hidden, unit.inputs],
    panels(unit.inputs),
    columns * unit.inputs,
  );
  add(
    unit,
    name('weight_hh'),
    'recurrent',
    [gates * hidden, hidden],
    panels(hidden),
    columns * hidden,
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
}

function plainPanels(outputs: number, padded: number, depth: number): Panels {
  return { cell: CELL_NONE, gates: 1, hidden: outputs, padded, depth, vectors: 4 };
}

/** Numbers that a parameter derives for the kernels: sums of biases now, transposes for the backward pass. */
export function derivedLength(unit: Unit): {
  bias: number;
  wTransposed: number;
  rTransposed: number;
} {
  if (unit.kind === 'embedding') return { bias: 0, wTransposed: 0, rTransposed: 0 };
  if (unit.kind === 'linear') {
    return { bias: 0, wTransposed: unit.outputRow * roundUp(unit.inputs, 16), rTransposed: 0 };
  }
  return {
    bias: unit.bias ? unit.columns : 0,
    wTransposed: unit.columns * roundUp(unit.inputs, 16),
    rTransposed: unit.columns * roundUp(unit.padded, 16),
  };
}
