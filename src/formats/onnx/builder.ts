/** The layers that nodes become, and their parameters. */
import { GatefoldError } from '../../base/errors.ts';
import type { Tensor } from '../../base/tensor.ts';
import type { RowActivation } from '../../ops/activations.ts';
import { multiply, productOfDims } from './dims.ts';
import { Atom, Rows, asFeatures, axisOf, isFeature, partOf, widthOf } from './flow.ts';
import type { Axis, Flow } from './flow.ts';
import type { Node } from './node.ts';

/** A layer in the making. */
export interface Layer {
  readonly name: string;
  type: string;
  inputs: string[];
  readonly options: Record<string, unknown>;
  /** The rows that an `unfold` reads: of one row a sequence it is a `reshape`. */
  readonly spreads?: Rows;
  readonly tensors: Map<string, Tensor>;
  /** The tensor of ONNX that alone is what it gives, while no other may see it. */
  owner: string;
}

/** Pieces of features that are copied one by one; more are copied by a matrix of ones. */
const MOST_PIECES = 32;
const MOST_WEIGHTS = 2 ** 22;

const NO_INPUT = { input: undefined, pad: undefined } as unknown as object;

/** Features of a source: of each the place that it has there, below 0 for a zero. */
export interface Places {
  readonly of: string;
  readonly map: readonly number[];
}

export class Builder {
  readonly layers: Map<string, Layer> = new Map();
  /** Of layers that move features alone. */
  readonly #places = new Map<string, Places>();
  readonly #names: Set<string>;
  /** How many names like one there are: a node that becomes thousands of layers counts on. */
  readonly #counts = new Map<string, number>();
  readonly #inner = new Map<Rows, Map<number, Rows>>();
  /** Counts elements that are made, and refuses too many. */
  readonly #take: (elements: number) => void;

  constructor(names: Iterable<string>, take: (elements: number) => void) {
    this.#names = new Set(names);
    this.#take = take;
  }

  /** A name like this one that nothing has yet. */
  #name(like: string): string {
    const short = like.slice(0, 200).replaceAll(/\p{Surrogate}/gu, '?') || 'node';
    let name = short === '__proto__' ? 'node' : short;
    let count = this.#counts.get(short) ?? 0;
    while (this.#names.has(name)) name = `${short}.${++count}`;
    this.#counts.set(short, count);
    this.#names.add(name);
    return name;
  }

  /** Adds a layer; `owner` is the tensor of ONNX that it is. */
  add(
    node: Node,
    type: string,
    options: Record<string, unknown>,
    reads: readonly Flow[],
    parameters: Readonly<Record<string, Tensor | undefined>> = {},
    more: Partial<Pick<Layer, 'owner' | 'spreads'>> = {},
  ): Layer {
    const inputs = reads.map((flow) => {
      const part = partOf(flow);
      if (part) node.refuse(part);
      if (flow.input) {
        if (flow.input.isTokens !== (type === 'embedding')) {
          node.refuse(
            'it reads as numbers what an embedding reads as tokens, or the other way round',
          );
        }
      }
      return flow.source;
    });
    const name = this.#name(node.name);
    const tensors = new Map(
      Object.entries(parameters).flatMap(([role, tensor]) => (tensor ? [[role, tensor]] : [])),
    );
    const layer: Layer = { name, type, inputs, options, tensors, owner: '', ...more };
    this.layers.set(name, layer);
    return layer;
  }

  /** Puts a layer after all others: those that it reads have come since. */
  toEnd(layer: Layer): void {
    this.layers.delete(layer.name);
    this.layers.set(layer.name, layer);
  }

  /** A layer that changes features alone, of one flow. */
  map(
    node: Node,
    type: string,
    options: Record<string, unknown>,
    given: Flow,
    parameters?: Readonly<Record<string, Tensor | undefined>>,
  ): Flow {
    const flow = this.ready(given, node);
    const { name } = this.add(node, type, options, [flow], parameters);
    return { ...flow, ...NO_INPUT, source: name };
  }

  activation(node: Node, activation: RowActivation, flow: Flow): Flow {
    return this.map(node, 'activation', { activation }, flow);
  }

  /** A flow whose zeros in front and behind are there. */
  ready(flow: Flow, node: Node): Flow {
    const { pad, ...plain } = flow;
    if (!pad) return flow;
    return this.#taps(plain, pad, 1, 0, node);
  }

  /** Steps as they are, with others in front and behind, by a convolution with a single one. */
  #taps(
    flow: Flow,
    padding: readonly [number, number],
    size: number,
    tap: number,
    node: Node,
  ): Flow {
    const channels = widthOf(flow, node);
    this.#take(channels * size);
    const data = new Float32Array(channels * size).map((_, k) => +(k % size === tap));
    const options = {
      outChannels: channels,
      kernelSize: size,
      groups: channels,
      bias: false,
      padding,
    };
    const weight = { shape: [channels, 1, size], data };
    const { name } = this.add(node, 'conv1d', options, [flow], { weight });
    return { ...flow, ...NO_INPUT, source: name };
  }

  /** Steps from number `from` on, and without the last `without`. */
  cut(given: Flow, from: number, without: number, node: Node): Flow {
    const flow = this.ready(given, node);
    const size = from + without + 1;
    if (size > 4096) node.refuse(`it leaves out ${size - 1} steps, more than are supported`);
    return this.#taps(flow, [0, 0], size, from, node);
  }

  /**
   * Features in another order, several times or not at all: `map` has for each the one that it is,
   * below 0 for zeros.
   */
  features(given: Flow, map: readonly number[], held: readonly Atom[], node: Node): Flow {
    const flow = this.ready(given, node);
    const width = widthOf(flow, node);
    const made = { ...flow, ...NO_INPUT, held };
    if (map.length === width && map.every((index, k) => index === k)) return { ...flow, held };
    const source = this.#rearranged(flow, map, width, node);
    this.#places.set(source, { of: flow.source, map });
    return { ...made, source };
  }

  /** Where the features of a layer come from that only moves them. */
  placesOf(source: string): Places | undefined {
    const { type, options } = this.layers.get(source) ?? {};
    // A product that has taken in what follows does more than that.
    const isChanged = options?.['bias'] !== false || options['activation'] !== undefined;
    return type === 'linear' && isChanged ? undefined : this.#places.get(source);
  }

  #rearranged(flow: Flow, map: readonly number[], width: number, node: Node): string {
    const pieces = piecesOf(map, this.#take);
    const isFew = pieces.length <= MOST_PIECES && pieces.every(({ from }) => from >= 0);
    const parts = isFew && width > 1 ? pieces.map((piece) => [piece]) : stretchesOf(pieces);
    if (parts.length <= MOST_PIECES) {
      const layers = parts.map((part) => this.#part(flow, part, node));
      const inputs = layers.map((source) => ({ ...flow, ...NO_INPUT, source }));
      return layers.length === 1 ? layers[0]! : this.add(node, 'concat', {}, inputs).name;
    }
    return this.#moved(flow, map, width, node);
  }

  /** A piece of the features, or several by one matrix of zeros and ones. */
  #part(flow: Flow, pieces: readonly Piece[], node: Node): string {
    const own = pieces.filter(({ from }) => from >= 0);
    const from = own.reduce((least, piece) => Math.min(least, piece.from), own[0]?.from ?? 0);
    const to = own.reduce((most, piece) => Math.max(most, piece.to), from + 1);
    const isWhole = from === 0 && to === widthOf(flow, node);
    const slice = isWhole ? flow.source : this.add(node, 'slice', { from, to }, [flow]).name;
    if (pieces.length === 1 && own.length === 1) return slice;
    const map: number[] = [];
    for (const piece of pieces) {
      for (let k = piece.from; k < piece.to; k++) map.push(k < 0 ? -1 : k - from);
    }
    return this.#moved({ ...flow, ...NO_INPUT, source: slice }, map, to - from, node);
  }

  /** Features in another order by a matrix of zeros and ones. */
  #moved(flow: Flow, map: readonly number[], width: number, node: Node): string {
    const count = width * map.length;
    if (count > MOST_WEIGHTS) {
      node.refuse(`it reorders ${map.length} features at run time, which is not supported`);
    }
    this.#take(count);
    const data = new Float32Array(count);
    for (const [k, index] of map.entries()) if (index >= 0) data[k * width + index] = 1;
    const options = { outFeatures: map.length, bias: false };
    const weight = { shape: [map.length, width], data };
    return this.add(node, 'linear', options, [flow], { weight }).name;
  }

  /** The places in a row of the features in the order of the axes. */
  order(flow: Flow, node: Node): number[] {
    const own = flow.held.filter(isFeature);
    const wanted = flow.axes.flat().filter(isFeature);
    const width = widthOf(flow, node);
    const strides = new Map<Atom, number>();
    let stride = 1;
    for (const atom of [...own].reverse()) {
      strides.set(atom, stride);
      stride *= atom.size as number;
    }
    this.#take(width);
    let places = [0];
    for (const atom of wanted) {
      const step = strides.get(atom)!;
      const next: number[] = [];
      for (const place of places) {
        for (let k = 0; k < (atom.size as number); k++) next.push(place + k * step);
      }
      places = next;
    }
    return places;
  }

  /** A flow that holds its features in the order of its axes. */
  natural(given: Flow, node: Node): Flow {
    const flow = this.ready(given, node);
    const wanted = flow.axes.flat().filter(isFeature);
    const own = flow.held.filter(isFeature);
    if (own.every((atom, k) => atom === wanted[k])) return flow;
    return this.features(flow, this.order(flow, node), wanted, node);
  }

  /** The last step, or the mean or maximum of all, as one row. */
  pool(given: Flow, mode: string, node: Node): Flow {
    let flow = this.ready(given, node);
    const from = this.layers.get(flow.source)?.options;
    // A pool reads a layer, and takes the final output of one that reads backwards.
    const isTurned = from?.['bidirectional'] === true || from?.['direction'] === 'backward';
    if (flow.input || isTurned) flow = this.activation(node, 'identity', flow);
    const { kind, outer, input } = flow.rows.first;
    if (kind === undefined) flow.rows.become('step');
    const { name } = this.add(node, 'pool', { mode }, [flow]);
    const rows = outer ?? new Rows('row', input);
    const axes = flow.axes.map((axis) => axis.filter(({ role }) => role !== 'time'));
    const held = flow.held.filter(({ role }) => role !== 'time');
    return { ...flow, ...NO_INPUT, source: name, rows, axes, held };
  }

  /** The row of the only step there is: of a recurrent layer its last state. */
  lastRow(flow: Flow, node: Node): Flow {
    const { type, options } = this.layers.get(flow.source) ?? {};
    const isState = type === 'lstm' || type === 'gru' || type === 'rnn';
    if (!isState || options?.['direction'] === 'backward') return this.pool(flow, 'last', node);
    const rows = new Rows('row', flow.rows.first.input);
    return { ...flow, ...NO_INPUT, source: `${flow.source}.h`, rows };
  }

  /** A flow without steps within a step where there is but one of them. */
  closed(given: Flow, node: Node): Flow {
    let flow = given;
    while (flow.rows.kind === 'inner' && !flow.axes.flat().some(({ role }) => role === 'time')) {
      flow = this.pool(flow, 'last', node);
    }
    return flow;
  }

  /** All steps side by side as features of one row. */
  flattened(given: Flow, node: Node): Flow {
    const flow = this.natural(given, node);
    const time = flow.axes.flat().find(({ role }) => role === 'time');
    if (!time) return flow;
    if (typeof time.size !== 'number') {
      node.refuseOpen(time.size, 'it reads all steps as one row, so that it');
    }
    const { outer, input } = flow.rows.first;
    if (!outer && input) input.isFixed = true;
    const { name } = this.add(node, 'flatten', {}, [flow]);
    const steps = new Atom(time.size, 'features');
    const held = [steps, ...flow.held.filter(isFeature)];
    const axes = flow.axes.map((axis) => axis.map((atom) => (atom === time ? steps : atom)));
    return {
      ...flow,
      ...NO_INPUT,
      source: name,
      rows: outer ?? new Rows('row', input),
      axes,
      held,
    };
  }

  /**
   * Features that stand behind the steps on an axis, beside others that have features too, as steps
   * of their own: each row becomes as many.
   */
  unfurled(given: Flow, node: Node): Flow {
    const at = given.axes.findIndex(
      (atoms, k) =>
        atoms[0]?.role === 'time' &&
        atoms.length > 1 &&
        atoms.slice(1).every(isFeature) &&
        given.axes.some((others, j) => j !== k && others.some(isFeature)),
    );
    if (at < 0 || given.rows.kind === 'inner') return given;
    const [time, ...own] = given.axes[at]! as [Atom, ...Atom[]];
    const count = productOfDims(own.map(({ size }) => size)) as number;
    // The features of a step side by side, one step after the other.
    const { axes } = given;
    const order = [axes[at]!, ...axes.filter((_, k) => k !== at)];
    const flow = { ...this.natural({ ...given, axes: order }, node), axes };
    const width = widthOf(flow, node);
    const size = width / count;
    this.#take(width * width);
    const data = new Float32Array(width * width);
    for (let k = 0; k < width; k++) {
      data[(k * size + (k % size)) * count + Math.floor(k / size)] = 1;
    }
    const options = { outChannels: size, kernelSize: count, stride: count, bias: false };
    const weight = { shape: [width, size, count], data };
    const { name } = this.add(node, 'convTranspose1d', options, [flow], { weight });
    const steps = axisOf(multiply(time.size, count), 'time');
    const change = (atoms: Axis): Axis =>
      atoms.flatMap((atom) => (atom === time ? steps : own.includes(atom) ? [] : [atom]));
    return { ...flow, ...NO_INPUT, source: name, axes: axes.map(change), held: change(flow.held) };
  }

  /** Features that an operator reads as steps, so that they are. */
  unfolded(given: Flow, atoms: Axis, node: Node): Flow {
    let flow = this.closed(this.ready(given, node), node);
    asFeatures(atoms, node);
    if (flow.axes.flat().some(({ role }) => role === 'time')) {
      node.refuse('it works on steps and on features as if they were other steps');
    }
    const own = flow.held.filter(isFeature);
    const isFront = atoms.every((atom, k) => atom === own[k]);
    if (!isFront) {
      const rest = own.filter((atom) => !atoms.includes(atom));
      const axes = [atoms, rest];
      const { axes: _, ...others } = flow;
      flow = { ...this.natural({ ...others, axes }, node), axes: flow.axes };
    }
    const steps = atoms.reduce((product, { size }) => product * (size as number), 1);
    const { rows } = flow;
    rows.first.isSpread = true;
    const { name } = this.add(
      node,
      'unfold',
      { steps, inputSize: widthOf(flow, node) },
      [flow],
      {},
      { spreads: rows },
    );
    const [time] = axisOf(steps, 'time');
    const made = time ? [time] : [];
    const axes = flow.axes.map((axis) =>
      atoms.length && axis.includes(atoms[0]!)
        ? [...made, ...axis.filter((atom) => !atoms.includes(atom))]
        : axis,
    );
    const held = flow.held.filter((atom) => !atoms.includes(atom));
    const inside = this.#within(rows.first, steps);
    return { ...flow, ...NO_INPUT, source: name, rows: inside, axes, held: [...made, ...held] };
  }

  /** So many steps within the steps of some rows: the same for all that have them. */
  #within(outer: Rows, steps: number): Rows {
    const known = this.#inner.get(outer) ?? new Map<number, Rows>();
    this.#inner.set(outer, known);
    const rows = known.get(steps) ?? new Rows('inner', outer.input, outer);
    known.set(steps, rows);
    return rows;
  }

  /** Brings flows that are joined to the same rows. */
  together(flows: readonly Flow[], node: Node): Flow[] {
    const joined = flows.map((flow) => this.closed(this.ready(flow, node), node));
    const inner = new Set(
      joined.flatMap(({ rows }) => (rows.kind === 'inner' ? [rows.first] : [])),
    );
    const isMixed = inner.size > 0 && joined.some(({ rows }) => rows.kind !== 'inner');
    if (inner.size > 1 || isMixed) {
      for (const [k, flow] of joined.entries()) {
        if (flow.rows.kind === 'inner') joined[k] = this.flattened(flow, node);
      }
    }
    const kinds = (): Set<unknown> => new Set(joined.map(({ rows }) => rows.kind));
    const open = joined.filter(({ rows }) => rows.kind === undefined);
    const known = joined.find(({ rows }) => rows.kind !== undefined && rows.kind !== 'inner');
    for (const flow of open) (known ?? open[0]!).rows.join(flow.rows);
    if (kinds().size > 1) {
      for (const [k, flow] of joined.entries()) {
        const hasTime = flow.axes.flat().some(({ role }) => role === 'time');
        if (flow.rows.kind === 'step' && !hasTime) joined[k] = this.lastRow(flow, node);
      }
    }
    if (kinds().size > 1) {
      node.refuse('it joins rows of each step and rows of whole sequences, which is not supported');
    }
    return joined;
  }
}

/** Features side by side; `from` is below 0 for a zero. */
interface Piece {
  readonly from: number;
  to: number;
}

/** Fewest features of a piece that is copied rather than moved by a matrix with its neighbours. */
const LONG_PIECE = 32;

/** Elements of a tensor that take the time of a piece. */
const PIECE = 8;

function piecesOf(map: readonly number[], take: (elements: number) => void): Piece[] {
  const pieces: Piece[] = [];
  let last: Piece | undefined;
  for (const index of map) {
    if (last?.to === index && index > 0) {
      last.to++;
      continue;
    }
    take(PIECE);
    last = { from: index, to: index + 1 };
    pieces.push(last);
  }
  return pieces;
}

/** Each long piece by itself, and the short ones between two of them together. */
function stretchesOf(pieces: readonly Piece[]): Piece[][] {
  const stretches: Piece[][] = [];
  let isOpen = false;
  for (const piece of pieces) {
    const isShort = piece.to - piece.from < LONG_PIECE;
    if (isShort && isOpen) stretches.at(-1)!.push(piece);
    else stretches.push([piece]);
    isOpen = isShort;
  }
  return stretches;
}

/** A matrix of zeros and ones, or other parameters, within what a file may stand for. */
export function counter(bytes: number): (elements: number) => void {
  let left = 2 * bytes + 2 ** 20;
  return (elements) => {
    left -= elements;
    if (elements >= 0 && left >= 0) return;
    const message = 'folding the graph makes tensors that are many times as large as the file';
    throw new GatefoldError('ERR_MEMORY', message);
  };
}
