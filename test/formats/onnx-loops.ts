/**
 * Graphs as tf2onnx writes layers of Keras that ONNX' own nodes do not have: `Loop` over the steps,
 * with a count of its own, weights from outside or passed on from step to step, and the condition
 * computed in the body; and the same as `Scan`.
 */
import type { OnnxGraph, OnnxNode, OnnxTensor } from '../peers/onnx-writer.ts';
import type { Random } from '../support/random.ts';
import type { OnnxCase } from './onnx-cases.ts';

type Body = Omit<OnnxGraph, 'opset'>;

const LETTERS = { GRU: ['h'], LSTM: ['h', 'c'], RNN: ['h'] } as const;
const GATES = { GRU: 3, LSTM: 4, RNN: 1 };

/** What a layer reads and is. */
interface Layer {
  readonly type: keyof typeof GATES;
  readonly x: string;
  readonly inputs: number;
  readonly hidden: number;
  readonly prefix: string;
}

class Loops {
  readonly random: Random;
  readonly opset: number;
  /** Where the file says it. */
  readonly steps: number | undefined;
  /** Whether there is one sequence, and the file says so. */
  readonly isAlone: boolean;
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];

  constructor(random: Random, steps?: number, isAlone = false) {
    this.random = random;
    this.steps = steps;
    this.isAlone = isAlone;
    this.opset = random.pick([11, 12, 13, 15, 17]);
  }

  chance(p: number): boolean {
    return this.random.unit() < p;
  }

  floats(name: string, dims: readonly number[], scale: number): string {
    const count = dims.reduce((a, b) => a * b, 1);
    this.initializers.push({
      name,
      dims,
      data: Float32Array.from(this.random.vector(count, scale)),
    });
    return name;
  }

  whole(name: string, dims: readonly number[], ...data: number[]): string {
    this.initializers.push({ name, dims, data: BigInt64Array.from(data.map(BigInt)) });
    return name;
  }

  node(
    list: OnnxNode[],
    opType: string,
    inputs: string[],
    output: string,
    attributes: OnnxNode['attributes'] = {},
  ): string {
    list.push({ opType, inputs, outputs: [output], attributes });
    return output;
  }

  /** A list of axes, which is an input from opset 13 on. */
  squeezed(list: OnnxNode[], opType: string, x: string, axis: number, output: string): string {
    if (this.opset < 13) return this.node(list, opType, [x], output, { axes: Int32Array.of(axis) });
    return this.node(list, opType, [x, this.whole(`${output}.axes`, [1], axis)], output);
  }

  /** Pieces of a row, all of one size. */
  split(list: OnnxNode[], x: string, count: number, size: number, prefix: string): string[] {
    const outputs = Array.from({ length: count }, (_, k) => `${prefix}.${k}`);
    const sizes = Array<number>(count).fill(size);
    const isInput = this.opset >= 13;
    list.push({
      opType: 'Split',
      inputs: isInput ? [x, this.whole(`${prefix}.sizes`, [count], ...sizes)] : [x],
      outputs,
      attributes: { axis: 1, ...(!isInput && { split: Int32Array.from(sizes) }) },
    });
    return outputs;
  }

  /** The same by slices that name the axis of the batch too, as strides of TensorFlow do. */
  strides(list: OnnxNode[], x: string, count: number, size: number, prefix: string): string[] {
    const axes = this.whole(`${prefix}.axes`, [2], 0, 1);
    return Array.from({ length: count }, (_, k) => {
      const from = this.whole(`${prefix}.from${k}`, [2], 0, k * size);
      const isLast = k === count - 1;
      const to = this.whole(
        `${prefix}.to${k}`,
        [2],
        2 ** 31 - 1,
        isLast ? 2 ** 31 - 1 : (k + 1) * size,
      );
      return this.node(list, 'Slice', [x, from, to, axes], `${prefix}.${k}`);
    });
  }

  /** Whether the number of the step is below that of all steps, both with a fraction. */
  below(list: OnnxNode[], step: string, steps: number, prefix: string): string {
    this.initializers.push({ name: `${prefix}.steps`, dims: [], data: Float32Array.of(steps) });
    const cast = this.node(list, 'Cast', [step], `${prefix}.cast`, { to: 1 });
    return this.node(list, 'Less', [cast, `${prefix}.steps`], prefix);
  }

  /** A product and a row that has lost the axis of the batch, of one sequence. */
  flat(
    list: OnnxNode[],
    product: readonly string[],
    row: string,
    hidden: number,
    output: string,
  ): string {
    const flat = `${output}.flat`;
    const isNamed = hidden === 1 || this.chance(0.5);
    if (isNamed) this.squeezed(list, 'Squeeze', row, 0, flat);
    else this.node(list, 'Squeeze', [row], flat);
    return this.node(list, 'Gemm', [...product, flat], output);
  }

  /** One step, out of x and the states; `at` gives the name of a tensor from outside. */
  step(
    list: OnnxNode[],
    { type, hidden, prefix }: Layer,
    x: string,
    states: readonly string[],
    at: (name: string) => string,
  ): string[] {
    const name = (like: string): string => `${prefix}${like}`;
    const add = (opType: string, a: string, b: string, like: string): string =>
      this.node(list, opType, this.chance(0.5) && opType !== 'Sub' ? [b, a] : [a, b], name(like));
    const act = (opType: string, a: string, like: string): string =>
      this.node(list, opType, [a], name(like));
    const product = (a: string, matrix: string, like: string): string =>
      this.node(list, 'MatMul', [a, at(matrix)], name(like));
    const [h = '', c = ''] = states;
    const inner = this.random.pick(['Tanh', 'Relu', 'Softsign']);
    if (type !== 'GRU') {
      const isFlat = this.isAlone && this.chance(0.7);
      const both = isFlat
        ? this.flat(list, [x, at('W')], product(h, 'R', 'Rh'), hidden, name('both'))
        : add('Add', product(x, 'W', 'Wx'), product(h, 'R', 'Rh'), 'both');
      const sum = add('Add', both, at('b'), 'sum');
      if (type === 'RNN') return [act(inner, sum, 'h_out')];
      const [i, f, g, o] = this.split(list, sum, 4, hidden, name('gates'));
      const kept = add('Mul', act('Sigmoid', f!, 'forget'), c, 'kept');
      const added = add('Mul', act('Sigmoid', i!, 'input'), act(inner, g!, 'g'), 'added');
      const next = add('Add', kept, added, 'c_out');
      return [add('Mul', act('Sigmoid', o!, 'o'), act(inner, next, 'hidden'), 'h_out'), next];
    }
    const [W, R] = [product(x, 'W', 'Wx'), product(h, 'R', 'Rh')];
    const [xz, xr, xh] = this.split(list, add('Add', W, at('b'), 'Wxb'), 3, hidden, name('xs'));
    const parts = this.chance(0.5) ? 'split' : 'strides';
    const [hz, hr, hh] = this[parts](list, add('Add', R, at('d'), 'Rhd'), 3, hidden, name('hs'));
    const z = act('Sigmoid', add('Add', xz!, hz!, 'zs'), 'z');
    const r = act('Sigmoid', add('Add', xr!, hr!, 'rs'), 'r');
    const n = act(inner, add('Add', xh!, add('Mul', r, hh!, 'rh'), 'ns'), 'n');
    const rest = add('Sub', at('one'), z, 'rest');
    return [add('Add', add('Mul', z, h, 'zh'), add('Mul', rest, n, 'zn'), 'h_out')];
  }

  /** States of zeros, as many as there are sequences. */
  zeros({ x, hidden, prefix }: Layer): string {
    const shape = this.node(this.nodes, 'Shape', [x], `${prefix}shape`);
    const at = this.whole(`${prefix}batch_axis`, [1], 1);
    const batch = this.node(this.nodes, 'Gather', [shape, at], `${prefix}batch`);
    const wide = this.whole(`${prefix}H`, [1], hidden);
    const sizes = this.node(this.nodes, 'Concat', [batch, wide], `${prefix}sizes`, { axis: 0 });
    if (this.chance(0.5)) {
      return this.node(this.nodes, 'ConstantOfShape', [sizes], `${prefix}zeros`);
    }
    const zero = { name: `${prefix}zero`, dims: [1, 1], data: new Float32Array(1) };
    this.initializers.push(zero);
    return this.node(this.nodes, 'Expand', [zero.name, sizes], `${prefix}zeros`);
  }

  weights({ type, inputs, hidden, prefix }: Layer): string[] {
    const wide = GATES[type] * hidden;
    this.floats(`${prefix}W`, [inputs, wide], 1 / Math.sqrt(inputs));
    this.floats(`${prefix}R`, [hidden, wide], 0.7 / Math.sqrt(hidden));
    this.floats(`${prefix}b`, [wide], 0.4);
    if (type !== 'GRU') return ['W', 'R', 'b'];
    this.floats(`${prefix}d`, [wide], 0.4);
    this.initializers.push({ name: `${prefix}one`, dims: [], data: Float32Array.of(1) });
    return ['W', 'R', 'b', 'd'];
  }

  /** All steps from the last one on. */
  reversed(x: string, name: string): string {
    const shape = this.node(this.nodes, 'Shape', [x], `${name}.shape`);
    const of = (at: number): string => {
      const index = this.whole(`${name}.at${at}`, [1], at);
      return this.node(this.nodes, 'Gather', [shape, index], `${name}.size${at}`);
    };
    const lengths = this.node(this.nodes, 'Expand', [of(0), of(1)], `${name}.lengths`);
    const axes = { time_axis: 0, batch_axis: 1 };
    return this.node(this.nodes, 'ReverseSequence', [x, lengths], name, axes);
  }

  /** A `Loop` over x [time, batch, features]: all steps, and the last one. */
  loop(layer: Layer): [string, string] {
    const { type, x, prefix } = layer;
    const name = (like: string): string => `${prefix}${like}`;
    const list: OnnxNode[] = [];
    const zero = this.zeros(layer);
    const weights = this.weights(layer);
    const passed = this.chance(0.5) ? weights : [];
    const at = (like: string): string => name(passed.includes(like) ? `${like}_in` : like);
    const timeAxis = this.whole(name('time_axis'), [], 0);
    const time = this.node(this.nodes, 'Gather', [name('shape'), timeAxis], name('time'));
    const zeroCount = this.whole(name('none'), [], 0);
    const isBounded = this.chance(0.7);
    // The condition before the first step, and after each.
    const first = this.node(this.nodes, 'Less', [zeroCount, time], name('begins'));
    const one = this.whole(name('step'), [], 1);
    const count = this.node(list, 'Add', [name('count_in'), one], name('count_out'));
    let goesOn = this.node(list, 'Less', [count, time], name('less'));
    if (this.chance(0.7)) {
      const next = this.node(list, 'Add', [name('i'), one], name('next'));
      const { steps } = this;
      const other =
        steps !== undefined && this.chance(0.5)
          ? this.below(list, this.chance(0.5) ? name('i') : next, steps, name('most'))
          : this.node(list, 'Less', [next, time], name('most'));
      goesOn = this.node(list, 'And', [other, goesOn], name('goes_on'));
    }
    const counter = this.chance(0.5) ? 'count_in' : 'i';
    const row = this.node(list, 'Gather', [x, name(counter)], name('row'), { axis: 0 });
    const states = LETTERS[type].map((letter) => name(`${letter}_in`));
    const made = this.step(list, layer, row, states, at);
    const scan = this.node(list, 'Identity', [made[0]!], name('scan'));
    const last = made.map((out) => this.node(list, 'Identity', [out], `${out}.last`));
    const same = passed.map((like) => {
      return this.node(list, 'Identity', [name(`${like}_in`)], name(`${like}_out`));
    });
    const int = 'int64' as const;
    const sizes: Readonly<Record<string, number>> = { W: 2, R: 2, b: 1, d: 1 };
    const body: Body = {
      inputs: [
        { name: name('i'), dims: [], type: int },
        { name: name('condition'), dims: [], type: 'bool' },
        { name: name('count_in'), dims: [], type: int },
        ...states.map((state) => ({ name: state, dims: ['', layer.hidden] })),
        ...passed.map((like) => ({
          name: name(`${like}_in`),
          dims: Array<string>(sizes[like]!).fill(''),
        })),
      ],
      initializers: [],
      nodes: list,
      outputs: [goesOn, count, ...last, ...same, scan],
      types: { [goesOn]: 'bool', [count]: int },
    };
    const outputs = ['count', ...LETTERS[type], ...passed, 'y'].map((like) => name(`${like}_end`));
    this.nodes.push({
      opType: 'Loop',
      inputs: [
        isBounded ? time : '',
        first,
        zeroCount,
        ...states.map(() => zero),
        ...passed.map(name),
      ],
      outputs,
      attributes: { body: { graph: body } },
    });
    return [name('y_end'), name('h_end')];
  }

  /** The same as a `Scan`, forward or backward. */
  scan(layer: Layer): [string, string] {
    const { type, x, prefix } = layer;
    const name = (like: string): string => `${prefix}${like}`;
    const zero = this.zeros(layer);
    this.weights(layer);
    const list: OnnxNode[] = [];
    const states = LETTERS[type].map((letter) => name(`${letter}_in`));
    const made = this.step(list, layer, name('row'), states, name);
    const scan = this.node(list, 'Identity', [made[0]!], name('scan'));
    const way = Int32Array.of(this.random.integer(0, 1));
    this.nodes.push({
      opType: 'Scan',
      inputs: [...states.map(() => zero), x],
      outputs: [...LETTERS[type], 'y'].map((like) => name(`${like}_end`)),
      attributes: {
        num_scan_inputs: 1,
        scan_input_directions: way,
        scan_output_directions: way,
        body: {
          graph: {
            inputs: [
              ...states.map((state) => ({ name: state, dims: ['', layer.hidden] })),
              { name: name('row'), dims: ['', layer.inputs] },
            ],
            initializers: [],
            nodes: list,
            outputs: [...made, scan],
          },
        },
      },
    });
    return [name('y_end'), name('h_end')];
  }
}

/** One or two layers of Keras as loops, batch first, and all steps or the last one. */
export function loopCase(random: Random): OnnxCase {
  const [B, T, I] = [random.integer(1, 3), random.integer(2, 7), random.integer(1, 6)];
  const isOpen = random.unit() < 0.6;
  const loops = new Loops(random, isOpen ? undefined : T, !isOpen && B === 1);
  const dims = isOpen ? ['batch', 'time', I] : [B, T, I];
  let x = loops.node(loops.nodes, 'Transpose', ['x'], 'turned', { perm: Int32Array.of(1, 0, 2) });
  let inputs = I;
  let last = '';
  for (let k = 0; k < random.integer(1, 2); k++) {
    const type = random.pick(['GRU', 'LSTM', 'RNN'] as const);
    const isBackward = loops.chance(0.3);
    if (isBackward) x = loops.reversed(x, `${k}/reversed`);
    const layer: Layer = { type, x, inputs, hidden: random.integer(1, 6), prefix: `${k}/` };
    [x, last] = loops.chance(0.75) ? loops.loop(layer) : loops.scan(layer);
    inputs = layer.hidden;
    if (isBackward && loops.chance(0.5)) x = loops.reversed(x, `${k}/back`);
  }
  if (loops.chance(0.5)) {
    loops.node(loops.nodes, 'Transpose', [x], 'y', { perm: Int32Array.of(1, 0, 2) });
  } else loops.node(loops.nodes, 'Relu', [last], 'y');
  const { nodes, initializers, opset } = loops;
  return {
    graph: { inputs: [{ name: 'x', dims }], outputs: ['y'], initializers, nodes, opset },
    inputs: [{ name: 'x', shape: [B, T, I], data: Float32Array.from(random.vector(B * T * I, 1)) }],
  };
}
