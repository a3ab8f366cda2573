// The same model in plain JavaScript, for comparison: an LSTM and a dense layer of RTNeural's JSON,
// as one writes it by hand when it has to be fast, with weights side by side and no allocation.

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** Runs samples of one channel; keeps its state from call to call. */
export function plainAmplifier({ layers = [], in_skip: skip = 0, in_gain, out_gain }) {
  const [lstm, dense] = layers;
  if (
    layers.length !== 2 ||
    in_gain ||
    out_gain ||
    lstm.type !== 'lstm' ||
    dense.type !== 'dense'
  ) {
    throw new Error('the plain one runs an LSTM and a dense layer of RTNeural');
  }
  const [kernel, recurrent, bias] = lstm.weights;
  const hidden = recurrent.length;
  const wide = 4 * hidden;
  // A row of x, h and 1 for each gate of each unit.
  const input = Float32Array.from(kernel[0]);
  const rows = new Float32Array(wide * hidden);
  recurrent.forEach((row, k) => row.forEach((value, gate) => (rows[gate * hidden + k] = value)));
  const biases = Float32Array.from(bias);
  const head = Float32Array.from(dense.weights[0], ([value]) => value);
  const offset = dense.weights[1][0];
  const [h, c, gates] = [hidden, hidden, wide].map((length) => new Float32Array(length));
  return (samples, output, length) => {
    for (let t = 0; t < length; t++) {
      const x = samples[t];
      for (let gate = 0, at = 0; gate < wide; gate++) {
        let sum = biases[gate] + input[gate] * x;
        for (let k = 0; k < hidden; k++) sum += rows[at++] * h[k];
        gates[gate] = sum;
      }
      let y = offset;
      for (let k = 0; k < hidden; k++) {
        const candidate = Math.tanh(gates[2 * hidden + k]);
        c[k] = sigmoid(gates[hidden + k]) * c[k] + sigmoid(gates[k]) * candidate;
        h[k] = sigmoid(gates[3 * hidden + k]) * Math.tanh(c[k]);
        y += head[k] * h[k];
      }
      output[t] = skip ? y + x : y;
    }
  };
}
