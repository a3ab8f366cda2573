/**
 * Audio files evaluated in float64, on the parsed object as it lies, by the formulas that their own
 * runtimes have. `round` makes each step plain float32, to see what float32 itself costs.
 */
export type Matrix = readonly (readonly number[])[];
type Step = (x: readonly number[]) => number[];

export interface AudioLayer {
  type: string;
  activation?: string;
  weights: unknown[];
  epsilon?: number;
  dilation?: number[];
  groups?: number;
}

/** The keys of all kinds of files. */
export interface AudioFile {
  [key: string]: unknown;
  layers?: AudioLayer[];
  in_skip?: number;
  in_gain?: number;
  out_gain?: number;
  architecture?: string;
  config?: { input_size: number; hidden_size: number; num_layers: number } & {
    in_channels?: number;
    out_channels?: number;
  };
  weights?: number[];
  model_data?: { [key: string]: unknown; num_layers?: number; skip?: number };
  state_dict?: Record<string, unknown>;
}
export type Round = (value: number) => number;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const range = (length: number): number[] => Array.from({ length }, (_, k) => k);

const ACTIVATIONS: Record<string, Step> = {
  '': (values) => [...values],
  tanh: (values) => values.map(Math.tanh),
  relu: (values) => values.map((value) => Math.max(value, 0)),
  sigmoid: (values) => values.map(sigmoid),
  elu: (values) => values.map((value) => (value > 0 ? value : Math.exp(value) - 1)),
  softmax(values) {
    const powers = values.map((value) => Math.exp(value - Math.max(...values)));
    return powers.map((power) => power / powers.reduce((a, b) => a + b, 0));
  },
};

/** The sum of x_k w(k), rounded after each product. */
function dot(x: readonly number[], w: (k: number) => number, round: Round, from = 0): number {
  return x.reduce((sum, value, k) => round(sum + round(value * w(k))), from);
}

function lstmStep(
  gates: (g: number, u: number, x: readonly number[], h: readonly number[]) => number,
  hidden: number,
  round: Round,
  first?: { h: number[]; c: number[] },
): Step {
  let [h, c] = [first?.h ?? range(hidden).fill(0), first?.c ?? range(hidden).fill(0)];
  return (x) => {
    const at = (g: number): number[] => range(hidden).map((u) => round(gates(g, u, x, h)));
    const [i, f, g, o] = [at(0), at(1), at(2), at(3)];
    c = c.map((old, u) => round(sigmoid(f[u]!) * old + sigmoid(i[u]!) * Math.tanh(g[u]!)));
    h = c.map((value, u) => round(sigmoid(o[u]!) * Math.tanh(value)));
    return h;
  };
}

/** @param parts the candidate's two halves. */
function gruStep(
  gates: (g: number, u: number, x: readonly number[], h: readonly number[]) => number,
  parts: (u: number, x: readonly number[], h: readonly number[]) => [number, number],
  hidden: number,
  round: Round,
): Step {
  let h = range(hidden).fill(0);
  return (x) => {
    h = range(hidden).map((u) => {
      const z = sigmoid(round(gates(0, u, x, h)));
      const r = sigmoid(round(gates(1, u, x, h)));
      const [input, past] = parts(u, x, h);
      const n = Math.tanh(round(input + r * past));
      return round((1 - z) * n + z * h[u]!);
    });
    return h;
  };
}

/** One layer of RTNeural's `layers`. */
function rtneuralLayer(layer: AudioLayer, round: Round): Step {
  const { type, weights, activation = '' } = layer;
  const active = ACTIVATIONS[type === 'lstm' || type === 'gru' ? '' : activation]!;
  if (type === 'activation') return active;
  if (type === 'dense' || type === 'time-distributed-dense') {
    const [kernel, bias] = weights as [Matrix, number[]?];
    return (x) =>
      active(kernel[0]!.map((_, o) => dot(x, (k) => kernel[k]![o]!, round, bias?.[o] ?? 0)));
  }
  if (type === 'conv1d') {
    const [kernel, bias] = weights as [readonly Matrix[], number[]];
    const dilation = layer.dilation![0]!;
    const groups = layer.groups ?? 1;
    const past: number[][] = [];
    return (x) => {
      past.push([...x]);
      const perGroup = x.length / groups;
      return active(
        bias.map((b, o) => {
          const first = Math.floor(o / (bias.length / groups)) * perGroup;
          return kernel.reduce((sum, tap, k) => {
            const before = past[past.length - 1 - (kernel.length - 1 - k) * dilation];
            if (!before) return sum;
            return dot(before.slice(first, first + perGroup), (j) => tap[j]![o]!, round, sum);
          }, b);
        }),
      );
    };
  }
  if (type === 'prelu') {
    const slopes = (weights as number[][][])[0]![0]!;
    return (x) => x.map((v, k) => (v > 0 ? v : round(v * (slopes[k] ?? slopes[0]!))));
  }
  if (type === 'batchnorm') {
    const own = weights as number[][];
    const [gamma, beta, mean, variance] = own.length === 4 ? own : [undefined, undefined, ...own];
    return (x) =>
      x.map((v, k) => {
        const hat = (v - mean![k]!) / Math.sqrt(variance![k]! + layer.epsilon!);
        return round(hat * (gamma?.[k] ?? 1) + (beta?.[k] ?? 0));
      });
  }
  const [W, U] = weights as [Matrix, Matrix];
  const hidden = U.length;
  if (type === 'lstm') {
    const b = weights[2] as number[];
    return lstmStep(
      (g, u, x, h) => {
        const at = g * hidden + u;
        return dot(
          h,
          (k) => U[k]![at]!,
          round,
          dot(x, (k) => W[k]![at]!, round, b[at]),
        );
      },
      hidden,
      round,
    );
  }
  const b = weights[2] as [number[], number[]];
  const product = (m: Matrix, values: readonly number[], at: number, bias: number): number =>
    dot(values, (k) => m[k]![at]!, round, bias);
  return gruStep(
    (g, u, x, h) =>
      product(W, x, g * hidden + u, b[0][g * hidden + u]!) +
      product(U, h, g * hidden + u, b[1][g * hidden + u]!),
    (u, x, h) => [
      product(W, x, 2 * hidden + u, b[0][2 * hidden + u]!),
      product(U, h, 2 * hidden + u, b[1][2 * hidden + u]!),
    ],
    hidden,
    round,
  );
}

/** Recurrent layers of PyTorch in a state dict of lists, then a linear. */
function torchSteps(
  state: Readonly<Record<string, unknown>>,
  modules: readonly [name: string, layers: number][],
  head: string,
  round: Round,
): Step[] {
  const steps = modules.flatMap(([name, layers]) =>
    range(layers).map((k): Step => {
      const of = (role: string): unknown => state[`${name}.${role}_l${k}`];
      const [W, R] = [of('weight_ih'), of('weight_hh')] as [Matrix, Matrix];
      const [bi, bh] = [of('bias_ih'), of('bias_hh')] as (number[] | undefined)[];
      const hidden = R[0]!.length;
      const fromX = (at: number, x: readonly number[]): number =>
        dot(x, (j) => W[at]![j]!, round, bi?.[at] ?? 0);
      const fromH = (at: number, h: readonly number[]): number =>
        dot(h, (j) => R[at]![j]!, round, bh?.[at] ?? 0);
      const sum = (g: number, u: number, x: readonly number[], h: readonly number[]): number =>
        fromX(g * hidden + u, x) + fromH(g * hidden + u, h);
      if (W.length === 4 * hidden) return lstmStep(sum, hidden, round);
      if (W.length === 3 * hidden) {
        const swapped = (g: number, u: number, x: readonly number[], h: readonly number[]) =>
          sum(g === 0 ? 1 : 0, u, x, h);
        const candidate = (u: number, x: readonly number[], h: readonly number[]) =>
          [fromX(2 * hidden + u, x), fromH(2 * hidden + u, h)] as [number, number];
        return gruStep(swapped, candidate, hidden, round);
      }
      let h = range(hidden).fill(0);
      return (x) => (h = h.map((_, u) => round(Math.tanh(sum(0, u, x, h)))));
    }),
  );
  const weight = state[`${head}.weight`] as Matrix | undefined;
  const bias = state[`${head}.bias`] as number[] | undefined;
  if (!weight) return steps;
  const linear: Step = (x) => weight.map((row, o) => dot(x, (j) => row[j]!, round, bias?.[o] ?? 0));
  return [...steps, linear];
}

/** NAM's list of weights as the steps of its layers. */
function namSteps(file: AudioFile, round: Round): Step[] {
  const { input_size: inputs, hidden_size: hidden, num_layers: layers } = file.config!;
  const weights = [...file.weights!];
  const take = (count: number): number[] => weights.splice(0, count);
  const steps = range(layers).map((k): Step => {
    const width = k === 0 ? inputs : hidden;
    const W = range(4 * hidden).map(() => take(width + hidden));
    const [b, h, c] = [take(4 * hidden), take(hidden), take(hidden)];
    const gate = (g: number, u: number, x: readonly number[], past: readonly number[]): number =>
      dot([...x, ...past], (j) => W[g * hidden + u]![j]!, round, b[g * hidden + u]);
    return lstmStep(gate, hidden, round, { h, c });
  });
  const outputs = file.config!.out_channels ?? 1;
  const rows = range(outputs).map(() => take(hidden));
  const bias = take(outputs);
  return [...steps, (x) => rows.map((row, o) => dot(x, (j) => row[j]!, round, bias[o]))];
}

/** Outputs of a file for inputs [T, I]. */
export function evaluate(
  file: AudioFile,
  inputs: readonly (readonly number[])[],
  round: Round = (value) => value,
): number[] {
  let steps: Step[];
  let [skip, gain, volume] = [0, 1, 1];
  if (file.layers) {
    steps = file.layers.map((layer) => rtneuralLayer(layer, round));
    skip = file.in_skip ?? 0;
    [gain, volume] = [file.in_gain, file.out_gain].map((db) => 10 ** ((db ?? 0) / 20)) as [
      number,
      number,
    ];
  } else if (file.architecture) {
    steps = namSteps(file, round);
  } else if (file.model_data) {
    const layers = file.model_data.num_layers ?? 1;
    steps = torchSteps(file.state_dict!, [['rec', layers]], 'lin', round);
    skip = file.model_data.skip ?? 0;
  } else {
    const names = [...new Set(Object.keys(file).map((name) => name.split('.')[0]!))];
    const recurrent = names.filter((name) => file[`${name}.weight_ih_l0`]);
    const count = (name: string): number =>
      range(9).filter((k) => file[`${name}.weight_ih_l${k}`]).length;
    const head = names.find((name) => file[`${name}.weight`]) ?? '';
    steps = torchSteps(
      file,
      recurrent.map((name) => [name, count(name)]),
      head,
      round,
    );
  }
  return inputs.flatMap((values) => {
    const x = values.map((value, k) => (k ? value : round(value * gain)));
    const y = steps.reduce<readonly number[]>((value, step) => step(value), x);
    return y.map((value, k) => round((skip ? round(value + x[k]!) : value) * volume));
  });
}
